// The lines in the document: a window of the output, bounded however long that is.

import { PLAIN, contrast, parse } from "./ansi.js";
import { extend, isBefore, nameOf } from "./lines.js";

// Lines in the document while it follows; while the reader has paused it may grow to the second number.
const MAX_FOLLOWING = 2000;
export const MAX_LINES = 6000;
// Pixels: nearer to an edge than this counts as being there.
const NEAR = 40;

export class LogView {
  // `reader` has the functions changed (what waits, or whether it follows), left (the end), reachedEnd, reachedTop.
  constructor(box, reader) {
    Object.assign(this, { box, reader });
    this.times = "off";
    this.following = true;
    this.clear();
    box.addEventListener("scroll", () => this.scrolled());
    // A narrower window or another height of the header moves the end away.
    new ResizeObserver(() => this.stick()).observe(box);
  }

  scrolled() {
    const [top, before, own] = [this.box.scrollTop, this.lastTop, this.ownScroll];
    this.lastTop = top;
    this.ownScroll = false;
    this.reader.changed();
    if (own) return;
    if (this.following) {
      if (!this.nearEnd) this.reader.left();
    } else if (this.nearEnd && top > before) this.reader.reachedEnd();
    else if (top < NEAR && top < before) this.reader.reachedTop();
  }

  clear() {
    this.box.replaceChildren();
    this.lines = [];
    this.fresh = [];
    this.grown = new Set();
    this.newCount = 0;
    this.lastTop = 0;
    this.ownScroll = false;
    this.startTime = null;
  }

  get size() {
    return this.lines.length + this.fresh.length;
  }

  get first() {
    return this.lines[0] || this.fresh[0] || null;
  }

  get nearEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR;
  }

  add(lines, grown) {
    for (const line of lines) this.fresh.push(line);
    if (grown?.element) this.grown.add(grown);
    if (this.following && this.fresh.length > 2 * MAX_FOLLOWING) this.fresh = this.fresh.slice(-MAX_FOLLOWING);
    if (!this.following) this.newCount += lines.length;
    this.schedule();
  }

  mark(text, kind = "") {
    this.box.append(element("p", `mark ${kind}`, text));
    this.stick();
  }

  follow(on) {
    this.following = on;
    if (on) this.newCount = 0;
    this.flush();
    this.stick();
    this.reader.changed();
  }

  // One change of the document for all that arrived since the last frame. A page in the background has no frames.
  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    const flush = () => {
      this.scheduled = false;
      this.flush();
      this.stick();
      this.reader.changed();
    };
    if (document.hidden) setTimeout(flush, 250);
    else requestAnimationFrame(flush);
  }

  flush() {
    if (this.following && this.fresh.length > MAX_FOLLOWING) this.fresh = this.fresh.slice(-MAX_FOLLOWING);
    this.grown.forEach((line) => this.render(line));
    this.grown.clear();
    this.box.append(this.elements(this.fresh));
    this.lines = this.lines.concat(this.fresh);
    this.fresh = [];
    if (this.following) this.trim();
  }

  trim() {
    const tooMany = this.lines.splice(0, Math.max(0, this.lines.length - MAX_FOLLOWING));
    tooMany.forEach((line) => line.element.remove());
  }

  // Make room for more below; what the reader looks at stays where it is.
  dropAbove() {
    const before = this.box.scrollHeight;
    this.trim();
    this.moveBy(this.box.scrollHeight - before);
    this.newCount = 0;
  }

  // As the document has grown or shrunk above.
  moveBy(pixels) {
    const before = this.box.scrollTop;
    this.box.scrollTop += pixels;
    this.ownScroll = this.box.scrollTop !== before;
  }

  // Lines from before the first one; what the reader looks at stays where it is.
  prepend(older, open) {
    const [first, before] = [this.first, this.box.scrollHeight];
    const lines = older.filter((line) => !first || isBefore(line, first));
    for (const stream of ["stdout", "stderr"]) {
      const rest = this.lines.find((line) => line.stream === stream);
      if (!rest?.fragment || !open[stream] || !lines.includes(open[stream])) continue;
      // The line whose rest was the first of its stream here.
      extend(open[stream], rest.raw);
      Object.assign(rest, { ...open[stream], element: rest.element });
      lines[lines.indexOf(open[stream])] = rest;
      this.lines.splice(this.lines.indexOf(rest), 1);
    }
    this.box.prepend(this.elements(lines));
    this.lines = lines.concat(this.lines);
    this.moveBy(this.box.scrollHeight - before);
  }

  elements(lines) {
    const fragment = document.createDocumentFragment();
    for (const line of lines) fragment.append(this.render(line));
    return fragment;
  }

  stick() {
    if (this.following) this.box.scrollTop = this.box.scrollHeight;
  }

  // The line at this place, or the last one before it; null where it is not here.
  find(place) {
    this.flush();
    return this.lines.findLast((line) => !isBefore(place, line)) || null;
  }

  scrollTo(line) {
    const before = this.box.scrollTop;
    line.element.scrollIntoView({ block: "center" });
    this.ownScroll = this.box.scrollTop !== before;
    this.newCount = 0;
  }

  highlight(line) {
    this.box.querySelector(".here")?.classList.remove("here");
    line?.element.classList.add("here");
  }

  showTimes(mode) {
    this.times = mode;
    for (const line of this.lines) line.element.firstElementChild.textContent = this.timeOf(line);
    this.box.classList.toggle("times", mode !== "off");
    this.stick();
  }

  timeOf({ timestamp }) {
    if (this.times === "off") return "";
    if (this.times === "UTC") return timestamp.slice(11, 23);
    const time = new Date(timestamp);
    if (this.times === "since start") return `+${((time - this.startTime) / 1000).toFixed(3)}`;
    const parts = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0"));
    return `${parts.join(":")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  }

  text() {
    const pathOf = ({ origin }) => (origin.path ? `[${origin.path}] ` : "");
    return this.lines.map((line) => `${pathOf(line)}${line.element.querySelector(".text").textContent}\n`).join("");
  }

  render(line) {
    line.element ||= element("div", `line ${line.stream}`);
    const time = element("time", "", this.timeOf(line));
    time.title = line.timestamp;
    const link = element("a", "link", line.stream === "stderr" ? "err" : "");
    link.href = line.seq ? `${line.origin.base}/${nameOf(line)}` : line.origin.base;
    link.title = line.seq ? "Link to this line" : "Link to this step";
    // Thousands of links would stand between the keyboard and the rest of the page.
    link.tabIndex = -1;
    const text = element("span", `text ${line.classes || ""}`);
    for (const piece of parse(line.raw, line.style)[0]) text.append(styled(piece));
    line.element.replaceChildren(time, link, text);
    if (line.origin.path) text.before(pathLink(line.origin));
    if (line.cut) line.element.append(element("em", "", "… the rest is in the raw output"));
    return line.element;
  }
}

// Of the step that printed a line.
function pathLink({ base, path }) {
  const link = element("a", "path", path);
  link.href = base;
  link.tabIndex = -1;
  return link;
}

function styled({ text, style }) {
  if (style === PLAIN) return document.createTextNode(text);
  const classes = ["bold", "dim", "italic", "underline"].filter((name) => style[name]);
  const span = element("span", classes.join(" "), text);
  const [front, back] = style.inverse
    ? [style.background || "var(--page)", style.color || "var(--ink)"]
    : [style.color || (style.background && contrast(style.background)), style.background];
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
