// The page: a list of the latest executions, and one of them live.

import { LogView } from "./log.js";

const API = location.pathname.replace(/\/(v1\/?)?$/, "") + "/v1";
const STREAM = document.documentElement.dataset.stream;

const COMPLETED = new Set(["succeeded", "failed", "timeout", "canceled", "abandoned"]);
// How much of a long output is loaded at first.
const FIRST_LINES = 1000;
const LIST_INTERVAL_MS = 3000;
const STATE_INTERVAL_MS = 1500;
const RETRY_MS = 3000;
const AFTER_END_MS = 300;

const $ = (id) => document.getElementById(id);
const log = new LogView($("log"), showWaiting);
let current = null;

async function get(path, method = "GET") {
  const response = await fetch(API + path, { method, headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(method === "HEAD" ? response.statusText : (await response.json()).faultstring);
  return response;
}

// ---- the list

async function refreshList() {
  try {
    const fields = "id,action.ref,status,start_timestamp,end_timestamp";
    const response = await get(`/executions?limit=30&include_attributes=${fields}`);
    const items = await response.json();
    $("list-state").textContent = items.length ? "" : "None yet.";
    $("list").replaceChildren(...items.map(listItem));
  } catch (error) {
    $("list-state").textContent = `The API does not answer: ${error.message}`;
  }
}

function listItem(execution) {
  const link = document.createElement("a");
  link.href = `#/executions/${execution.id}`;
  if (current && current.id === execution.id) link.setAttribute("aria-current", "true");
  const name = document.createElement("span");
  name.textContent = execution.action.ref;
  const status = document.createElement("span");
  status.className = `status ${execution.status}`;
  status.textContent = execution.status;
  const when = document.createElement("time");
  when.dateTime = execution.start_timestamp;
  when.textContent = new Date(execution.start_timestamp).toLocaleTimeString();
  link.append(name, status, when);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

async function keepList() {
  const focused = $("list").contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  if (!document.hidden) await refreshList();
  // The list was made anew: who walks through it by keyboard stays where they are.
  if (focused) document.querySelector(`#list a[href="${focused}"]`)?.focus();
  setTimeout(keepList, LIST_INTERVAL_MS);
}

// ---- one execution

class Watch {
  constructor(id) {
    this.id = id;
    this.execution = null;
    this.seen = [0, 0];
    this.ended = false;
    this.closed = false;
  }

  async begin() {
    try {
      await this.refreshState();
      await this.connect(await this.firstSeq());
    } catch (error) {
      connection("failed", error.message);
    }
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.source?.close();
  }

  async refreshState() {
    const fields = "id,action.ref,status,start_timestamp,end_timestamp";
    this.execution = await (await get(`/executions/${this.id}?include_attributes=${fields}`)).json();
    if (this.closed) return;
    this.id = this.execution.id;
    showState(this.execution);
    if (!COMPLETED.has(this.execution.status)) this.timer = setTimeout(() => this.keepState(), STATE_INTERVAL_MS);
  }

  async keepState() {
    try {
      await this.refreshState();
    } catch {
      // The API is away: what is on the screen stays, and this goes on asking.
      this.timer = setTimeout(() => this.keepState(), RETRY_MS);
    }
  }

  // Where to begin, so that a long output shows its last lines at once: with the last lines of the louder stream.
  async firstSeq() {
    const query = `follow=false&tail=${FIRST_LINES}`;
    const ends = await Promise.all(["stdout", "stderr"].map((name) => get(`/executions/${this.id}/${name}?${query}`, "HEAD")));
    const first = Math.max(...ends.map((end) => Number(end.headers.get("X-St2-Since-Seq")) || 0));
    const off = ends.some((end) => end.headers.get("X-St2-Stream-Output") === "off");
    this.seen = [first, Infinity];
    if (first) notice("The beginning is not shown here; stdout and stderr above have everything.");
    else if (off) notice("Output streaming is off: the output appears when the action has ended.");
    return first;
  }

  async connect(after) {
    if (this.closed) return;
    connection("connecting");
    this.source = new EventSource(`${STREAM}/executions/${this.id}/output?since_seq=${after}`);
    this.source.onopen = () => connection("live");
    this.source.onerror = () => this.broken();
    this.source.addEventListener("st2.execution.output__create", (event) => this.output(event));
    this.source.addEventListener("st2.execution.output__end", (event) => this.end(JSON.parse(event.data)));
    this.source.addEventListener("EOF", () => this.finished());
  }

  output(event) {
    // A chunk of several events has ids such as 17.1, 17.2 and at last 17.
    const [seq, part = Infinity] = event.lastEventId.split(".").map(Number);
    if (seq < this.seen[0] || (seq === this.seen[0] && part <= this.seen[1])) return;
    this.seen = [seq, part];
    const piece = JSON.parse(event.data);
    log.add(piece.output_type, piece.data, piece.timestamp);
  }

  end(record) {
    showStatus(record.status);
    this.execution.end_timestamp ??= record.timestamp;
    $("exit-code").textContent = record.exit_code ?? "–";
    if (record.truncated_bytes) log.mark(`${record.truncated_bytes} bytes were not stored: a limit was reached`);
    if (record.masked) log.mark(`${record.masked} secrets were masked`);
  }

  finished() {
    this.ended = true;
    this.source.close();
    connection("ended");
    clearTimeout(this.timer);
    // The log ends just before the execution does.
    this.timer = setTimeout(() => this.keepState(), AFTER_END_MS);
  }

  // The last chunk that is here wholly.
  complete() {
    const [seq, part] = this.seen;
    return part === Infinity ? seq : Math.max(0, seq - 1);
  }

  broken() {
    if (this.ended || this.closed) return;
    connection("reconnecting");
    // The browser retries by itself unless it got an answer that is no stream.
    if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.connect(this.complete()), RETRY_MS);
  }
}

function connection(state, more = "") {
  $("connection").textContent = more ? `${state}: ${more}` : state;
  $("connection").className = `connection ${state}`;
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

function showState(execution) {
  $("action").textContent = execution.action.ref;
  $("identity").textContent = execution.id;
  document.title = execution.action.ref;
  showStatus(execution.status);
  for (const name of ["stdout", "stderr"]) {
    $(`raw-${name}`).href = `${API}/executions/${execution.id}/${name}?follow=false`;
    $(`raw-${name}`).download = `${execution.id}.${name}.txt`;
  }
  $("curl").textContent = `curl -N ${location.origin}${API}/executions/${execution.id}/stdout`;
  showElapsed();
}

function showStatus(status) {
  $("status").textContent = status;
  $("status").className = `status ${status}`;
}

function showElapsed() {
  const execution = current?.execution;
  if (!execution) return;
  const end = execution.end_timestamp ? new Date(execution.end_timestamp) : new Date();
  const seconds = Math.max(0, (end - new Date(execution.start_timestamp)) / 1000);
  const minutes = Math.floor(seconds / 60);
  $("elapsed").textContent = minutes ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${seconds.toFixed(1)} s`;
}

function show() {
  const found = location.hash.match(/^#\/(?:executions|history)\/([0-9a-f]{24}|last)/);
  current?.close();
  current = found ? new Watch(found[1]) : null;
  $("execution").hidden = !found;
  $("hint").hidden = Boolean(found);
  if (!found) return;
  log.clear();
  notice("");
  $("exit-code").textContent = "–";
  follow(true);
  current.begin();
  refreshList();
}

// ---- controls

function showWaiting(paused, count) {
  $("badge").hidden = !paused;
  $("badge").textContent = count ? `Paused · ${count} new lines · End to follow` : "Paused · End to follow";
}

function follow(on) {
  $("follow").setAttribute("aria-pressed", String(on));
  log.follow(on);
}

function toggle(id, className) {
  const on = $(id).getAttribute("aria-pressed") !== "true";
  $(id).setAttribute("aria-pressed", String(on));
  $("log").classList.toggle(className, on);
}

$("follow").addEventListener("click", () => follow(log.paused));
$("badge").addEventListener("click", () => follow(true));
$("times").addEventListener("click", () => toggle("times", "times"));
$("wrap").addEventListener("click", () => toggle("wrap", "wrap"));
$("log").classList.add("wrap");
$("log").addEventListener("scroll", () => {
  const box = $("log");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  if (!atEnd && !log.paused) follow(false);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("execution").hidden) return;
  const action = { End: () => follow(true), f: () => follow(log.paused), t: () => $("times").click(), w: () => $("wrap").click() }[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});
window.addEventListener("hashchange", show);
setInterval(showElapsed, 200);
show();
keepList();
