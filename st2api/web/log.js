// The lines on the screen: the last ones only, however many there are.

import { PLAIN, afterReturn, parse } from "./ansi.js";

// Lines in the document, and as many again that wait while the reader has paused.
const MAX_LINES = 2000;
// Characters of one line; the raw output has the rest.
const MAX_CHARACTERS = 20000;

export class LogView {
  constructor(box, onChange) {
    this.box = box;
    this.onChange = onChange;
    this.clear();
  }

  clear() {
    this.box.replaceChildren();
    this.waiting = [];
    this.skipped = 0;
    this.open = { stdout: null, stderr: null };
    // Lines on the screen that have grown since.
    this.grown = new Set();
    this.style = { stdout: PLAIN, stderr: PLAIN };
    this.paused = false;
    this.scheduled = false;
    this.onChange(false, 0);
  }

  // Output as it arrived: any number of lines, the last one perhaps unfinished.
  add(stream, data, timestamp) {
    const parts = data.split("\n");
    parts.forEach((part, index) => {
      const last = index === parts.length - 1;
      if (last && !part) return;
      const line = this.open[stream] || this.begin(stream, timestamp);
      if (line.raw.length < MAX_CHARACTERS) line.raw += part;
      if (line.element) this.grown.add(line);
      this.open[stream] = last ? line : null;
      if (!last) this.style[stream] = parse(line.raw, line.style)[1];
    });
    this.schedule();
  }

  mark(text) {
    this.push({ stream: "mark", raw: text, style: PLAIN, timestamp: null, element: null });
    this.schedule();
  }

  follow(on) {
    this.paused = !on;
    if (on) this.flush();
    this.onChange(this.paused, this.waiting.length + this.skipped);
  }

  begin(stream, timestamp) {
    const line = { stream, raw: "", style: this.style[stream], timestamp, element: null };
    this.push(line);
    return line;
  }

  push(line) {
    this.waiting.push(line);
    if (this.waiting.length > 2 * MAX_LINES) {
      this.skipped += this.waiting.length - MAX_LINES;
      this.waiting = this.waiting.slice(-MAX_LINES);
    }
  }

  // One change of the document for all that arrived since the last frame.
  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      if (this.paused) this.onChange(true, this.waiting.length + this.skipped);
      else this.flush();
    });
  }

  flush() {
    const skipped = this.skipped + Math.max(0, this.waiting.length - MAX_LINES);
    const lines = this.waiting.slice(-MAX_LINES);
    this.waiting = [];
    this.skipped = 0;
    if (skipped) this.box.replaceChildren(element("div", "line mark", `${skipped} lines are not shown`));
    this.grown.forEach(render);
    this.grown.clear();
    const added = document.createDocumentFragment();
    for (const line of lines) {
      render(line);
      added.append(line.element);
    }
    this.box.append(added);
    while (this.box.childElementCount > MAX_LINES) this.box.firstElementChild.remove();
    this.box.scrollTop = this.box.scrollHeight;
  }
}

function render(line) {
  line.element ||= element("div", `line ${line.stream}`);
  const time = element("time", "", line.timestamp ? line.timestamp.slice(11, 23) : "");
  if (line.timestamp) time.title = line.timestamp;
  const mark = element("span", "stream", line.stream === "stderr" ? "err" : "");
  const text = element("span", "text");
  for (const piece of parse(afterReturn(line.raw.slice(0, MAX_CHARACTERS)), line.style)[0]) text.append(styled(piece));
  if (line.raw.length >= MAX_CHARACTERS) text.append(element("em", "", " … the rest of this line is in the raw output"));
  line.element.replaceChildren(time, mark, text);
}

function styled({ text, style }) {
  if (style === PLAIN) return document.createTextNode(text);
  const classes = ["bold", "dim", "italic", "underline"].filter((name) => style[name]);
  const span = element("span", classes.join(" "), text);
  const [front, back] = style.inverse ? [style.background || "var(--page)", style.color || "var(--ink)"] : [style.color, style.background];
  if (front) span.style.color = front;
  if (back) span.style.backgroundColor = back;
  return span;
}

function element(tag, classes, text) {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}
