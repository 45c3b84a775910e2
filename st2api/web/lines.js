// From pieces of output, cut anywhere, to lines.

import { PLAIN, parse } from "./ansi.js";

// Characters of one line; the raw output has the rest.
export const MAX_CHARACTERS = 20000;

// Where a line begins: behind the n-th newline of the chunk with this number. Permalinks name it: L17, L17.3.
export const nameOf = (line) => (line.newlines ? `L${line.seq}.${line.newlines}` : `L${line.seq}`);
export const isBefore = (one, other) => one.seq < other.seq || (one.seq === other.seq && one.newlines < other.newlines);

export class Lines {
  // `origin`: the address of the execution (`base`) and, of a step of a workflow, the names of its tasks (`path`).
  constructor(origin) {
    this.origin = origin;
    this.seq = 0;
    this.newlines = 0;
    this.open = { stdout: null, stderr: null };
    this.style = { stdout: PLAIN, stderr: PLAIN };
    this.met = new Set();
  }

  // [lines that begin in this piece, an older line that it goes on with or null]
  add({ seq, output_type: stream, data, timestamp }) {
    if (seq !== this.seq) [this.seq, this.newlines] = [seq, 0];
    const begun = [];
    const grown = this.open[stream];
    const parts = data.split("\n");
    parts.forEach((part, index) => {
      const last = index === parts.length - 1;
      if (last && !part) return;
      const line = this.open[stream] || this.begin(stream, timestamp, begun);
      extend(line, part);
      this.open[stream] = last ? line : null;
      if (last) return;
      this.style[stream] = styleBehind(line.raw, line.style);
      this.newlines += 1;
    });
    return [begun, grown];
  }

  begin(stream, timestamp, begun) {
    // The first line of a stream may be the rest of one whose beginning is not here.
    const fragment = !this.met.has(stream) && this.newlines === 0;
    this.met.add(stream);
    const place = { origin: this.origin, seq: this.seq, newlines: this.newlines };
    const line = { stream, raw: "", cut: false, style: this.style[stream], timestamp, ...place, fragment, element: null };
    begun.push(line);
    return line;
  }
}

// A carriage return goes back to the beginning of the line: what was there is printed over. One at the very end waits
// for what follows it.
export function extend(line, part) {
  let raw = line.raw + part;
  const behind = raw.lastIndexOf("\r", raw.search(/\r*$/) - 1) + 1;
  if (behind) {
    line.style = styleBehind(raw.slice(0, behind), line.style);
    line.cut = false;
    raw = raw.slice(behind);
  }
  if (raw.length > MAX_CHARACTERS) line.cut = true;
  line.raw = raw.slice(0, MAX_CHARACTERS);
}

function styleBehind(text, style) {
  return text.includes("\x1b") ? parse(text, style)[1] : style;
}
