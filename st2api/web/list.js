// The list of the latest executions.

import { COMPLETED, ask } from "./api.js";
import { duration, moment } from "./words.js";

const FIELDS = "id,action.ref,status,start_timestamp,end_timestamp";
const INTERVAL_MS = 3000;
const LENGTH = 40;

export class ExecutionList {
  // `currentId()`: the execution that is being watched, if any.
  constructor(list, state, currentId) {
    Object.assign(this, { list, state, currentId });
    this.keep();
  }

  async keep() {
    if (!document.hidden) await this.refresh();
    setTimeout(() => this.keep(), INTERVAL_MS);
  }

  async refresh() {
    try {
      const items = await (await ask(`/executions?limit=${LENGTH}&parent=null&include_attributes=${FIELDS}`)).json();
      this.state.textContent = items.length ? "" : "None yet.";
      this.replace(items);
    } catch (error) {
      this.state.textContent = `The API does not answer: ${error.message}`;
    }
  }

  replace(items) {
    // The list is made anew: who walks through it by keyboard stays where they are.
    const focused = this.list.contains(document.activeElement) && document.activeElement.getAttribute("href");
    this.list.replaceChildren(...items.map((execution) => this.item(execution)));
    if (focused) this.list.querySelector(`a[href="${focused}"]`)?.focus();
  }

  item(execution) {
    const link = document.createElement("a");
    link.href = `#/executions/${execution.id}`;
    if (execution.id === this.currentId()) link.setAttribute("aria-current", "true");
    link.append(
      text("span", execution.action.ref, "name"),
      text("span", execution.status, `status ${execution.status}`),
      text("time", moment(execution.start_timestamp)),
      text("span", COMPLETED.has(execution.status) ? duration(execution) : "", "duration"),
    );
    const item = document.createElement("li");
    item.append(link);
    return item;
  }
}

function text(tag, content, classes = "") {
  const made = document.createElement(tag);
  made.className = classes;
  made.textContent = content;
  return made;
}
