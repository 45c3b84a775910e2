// A workflow: what is here of each of its steps. After a broken connection some of it comes again, and is left out.

import { PLAIN } from "./ansi.js";
import { parseCursor } from "./api.js";
import { Lines } from "./lines.js";

// Steps whose places are told to the server when the stream goes on: as many as it takes in one list.
const MAX_TOLD = 100;

export class Steps {
  constructor() {
    // By execution, the one with the latest output last.
    this.steps = new Map();
    this.first = null;
  }

  // Each of these gives the lines that are to be shown, and an older line that has grown, or null.

  begin({ execution_id: id, path, action_ref, timestamp }) {
    if (this.steps.has(id)) return [[], null];
    const origin = { base: `#/executions/${id}`, path };
    const step = { origin, lines: new Lines(origin), seen: [0, Infinity], ended: false };
    this.steps.set(id, step);
    const line = told(step, timestamp, `${action_ref} has started`);
    this.first ||= line;
    return [[line], null];
  }

  add(piece) {
    const [id, cursor] = piece.id.split(":");
    const step = this.steps.get(id);
    const [seq, part] = parseCursor(cursor);
    if (isSeen(step.seen, seq, part)) return [[], null];
    step.seen = [seq, part];
    this.steps.delete(id);
    this.steps.set(id, step);
    return step.lines.add(piece);
  }

  end({ execution_id: id, timestamp, status, exit_code }) {
    const step = this.steps.get(id);
    if (!step || step.ended) return [[], null];
    step.ended = true;
    const code = Number.isInteger(exit_code) ? `, exit code ${exit_code}` : "";
    return [[told(step, timestamp, status + code, `status ${status}`)], null];
  }

  // What the server need not send again: the last whole chunk of each.
  get since() {
    const known = [...this.steps].filter(([, { seen }]) => wholeChunks(seen)).slice(-MAX_TOLD);
    return known.map(([id, { seen }]) => `${id}:${wholeChunks(seen)}`).join(",");
  }
}

export const isSeen = ([lastSeq, lastPart], seq, part) => seq < lastSeq || (seq === lastSeq && part <= lastPart);

export const wholeChunks = ([seq, part]) => (part === Infinity ? seq : Math.max(0, seq - 1));

// A line that the page says, not the step.
function told({ origin }, timestamp, raw, classes = "") {
  return { stream: "step", raw, classes, cut: false, style: PLAIN, timestamp, origin, seq: 0, newlines: 0, element: null };
}
