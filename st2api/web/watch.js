// One execution: its state from the API, its output from the stream service.

import { COMPLETED, OUTPUT, OUTPUT_END, STEP_START, ask, openOutput, openTree, parseCursor, readStored } from "./api.js";
import { Lines, isBefore } from "./lines.js";
import { MAX_LINES } from "./log.js";
import { Steps, isSeen, wholeChunks } from "./steps.js";

// How much of a long output is loaded at first, and at a time when the reader goes back.
const PAGE_LINES = 1000;
const MAX_CHUNKS = 4096;
const STATE_INTERVAL_MS = 1500;
const RETRY_MS = 3000;
const AFTER_END_MS = 300;
// While output keeps arriving that was printed longer ago than this, the screen is behind.
const BEHIND_MS = 2000;
const QUIET_MS = 700;
// Bytes of a result that is read for its error and its exit code.
const MAX_RESULT = 65536;
const FIELDS = "id,action.ref,status,start_timestamp,end_timestamp,parameters,result,waiting,liveaction";

const FIRST = Object.freeze({ seq: 1, newlines: 0 });
const isFirst = (line) => !isBefore(FIRST, line);

export class Watch {
  // `screen` has the functions showExecution, showConnection, showEnd, showNotice.
  constructor(id, log, screen) {
    Object.assign(this, { id, log, screen });
    this.execution = null;
    this.end = null;
    this.closed = false;
    this.lastPiece = null;
  }

  // From a line (as a permalink names it), or from the last lines on.
  async begin(place) {
    try {
      await this.refreshState();
      this.permalink = place;
      await this.start(place);
    } catch (error) {
      if (!this.closed) this.screen.showConnection("failed", error.message);
    }
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.source?.close();
  }

  async start(place = null) {
    const turn = (this.turn = (this.turn || 0) + 1);
    this.source?.close();
    this.screen.showConnection("connecting");
    const first = await this.firstChunk(place);
    // Somebody may have gone elsewhere in the meantime.
    if (this.closed || turn !== this.turn) return;
    this.steps = this.isWorkflow ? new Steps() : null;
    this.lines = new Lines({ base: `#/executions/${this.id}` });
    this.log.clear();
    this.log.startTime = new Date(this.execution.start_timestamp);
    this.log.follow(!place);
    this.place = this.isWorkflow ? null : place;
    this.seen = [first, Infinity];
    this.over = this.detached = false;
    this.connect(first);
  }

  // A workflow has no numbers of its own: all that its steps have printed comes from the first line on.
  async firstChunk(place) {
    if (this.isWorkflow) return 0;
    return place ? Math.max(0, place.seq - 1 - this.pageChunks(PAGE_LINES / 5)) : this.tailStart();
  }

  // Where the last lines of the louder stream begin, so that a long output shows its end at once.
  async tailStart() {
    const path = (stream) => `/executions/${this.id}/${stream}?follow=false&tail=${PAGE_LINES}`;
    const ends = await Promise.all(["stdout", "stderr"].map((stream) => ask(path(stream), "HEAD")));
    this.streamsLate = ends.some((end) => end.headers.get("X-St2-Stream-Output") === "off");
    return Math.max(...ends.map((end) => Number(end.headers.get("X-St2-Since-Seq")) || 0));
  }

  // ---- state

  async refreshState() {
    const query = `include_attributes=${FIELDS}&max_result_size=${MAX_RESULT}`;
    const execution = await (await ask(`/executions/${this.id}?${query}`)).json();
    if (this.closed) return;
    this.execution = execution;
    this.id = execution.id;
    this.screen.showExecution(this);
    if (!this.completed) this.timer = setTimeout(() => this.keepState(), STATE_INTERVAL_MS);
  }

  async keepState() {
    try {
      await this.refreshState();
    } catch {
      // The API is away: what is on the screen stays, and this goes on asking.
      if (!this.closed) this.timer = setTimeout(() => this.keepState(), RETRY_MS);
    }
  }

  get isWorkflow() {
    return Boolean(this.execution.liveaction?.action_is_workflow);
  }

  get completed() {
    return COMPLETED.has(this.execution?.status);
  }

  async cancel() {
    const answer = await (await ask(`/executions/${this.id}`, "DELETE")).json();
    if (answer.faultstring) throw new Error(answer.faultstring);
    clearTimeout(this.timer);
    await this.keepState();
  }

  // ---- output

  connect(after) {
    this.detached = false;
    this.source = this.steps ? openTree(this.id, this.steps.since) : openOutput(this.id, after);
    this.source.onopen = () => this.screen.showConnection("live");
    this.source.onerror = () => this.broken();
    this.source.addEventListener(STEP_START, (event) => this.show(this.steps.begin(JSON.parse(event.data))));
    this.source.addEventListener(OUTPUT, (event) => this.output(JSON.parse(event.data), event.lastEventId));
    this.source.addEventListener(OUTPUT_END, (event) => this.ended(JSON.parse(event.data)));
    this.source.addEventListener("EOF", () => this.finished());
  }

  output(piece, cursor) {
    this.lastPiece = piece;
    this.lastArrival = Date.now();
    if (this.steps) {
      this.show(this.steps.add(piece));
      return;
    }
    const [seq, part] = parseCursor(cursor);
    if (isSeen(this.seen, seq, part)) return;
    this.seen = [seq, part];
    this.show(this.lines.add(piece));
    if (this.place && (seq > this.place.seq || (seq === this.place.seq && part === Infinity))) this.arrive();
  }

  show([lines, grown]) {
    this.log.add(lines, grown);
    // On the way to a line everything is read: its chunk may have more lines than that, in several pieces.
    if (!this.log.following && !this.place && this.log.size > MAX_LINES) this.detach();
  }

  // The line of the permalink is here.
  arrive() {
    const line = this.log.find(this.place);
    if (!line) return;
    this.log.scrollTo(line);
    if (this.place === this.permalink) this.log.highlight(line);
    this.place = null;
  }

  // The reader looks at something else and enough waits below: nothing more is read until they come there.
  detach() {
    this.source.close();
    this.detached = true;
    this.screen.showConnection("paused");
  }

  ended(record) {
    if (record.execution_id !== this.id) {
      this.show(this.steps.end(record));
      return;
    }
    this.end = record;
    this.screen.showEnd(this);
    if (record.truncated_bytes) this.markEnd(`${record.truncated_bytes} bytes were not stored: a limit was reached`);
    if (record.masked) this.markEnd(record.masked === 1 ? "1 secret was masked" : `${record.masked} secrets were masked`);
  }

  markEnd(text) {
    this.log.flush();
    this.log.mark(text);
  }

  finished() {
    if (this.place) this.arrive();
    this.over = true;
    this.source.close();
    this.screen.showConnection("ended");
    clearTimeout(this.timer);
    // The log ends just before the execution does.
    this.timer = setTimeout(() => this.keepState(), AFTER_END_MS);
  }

  // Milliseconds; 0 when what was printed is here.
  get behind() {
    if (this.over || !this.lastPiece || Date.now() - this.lastArrival >= QUIET_MS) return 0;
    const behind = Date.now() - new Date(this.lastPiece.timestamp);
    return behind > BEHIND_MS ? behind : 0;
  }

  // The last chunk that is here wholly.
  get complete() {
    return wholeChunks(this.seen);
  }

  broken() {
    if (this.over || this.closed) return;
    this.screen.showConnection("reconnecting");
    // The browser would ask for all of a workflow again.
    if (this.steps) this.source.close();
    // The browser retries by itself unless it got an answer that is no stream.
    if (this.source.readyState !== EventSource.CLOSED) return;
    const source = this.source;
    setTimeout(() => !this.closed && this.source === source && this.connect(this.complete), RETRY_MS);
  }

  // ---- moving about

  // To the newest line; what lies between may have been too much to load.
  async toEnd() {
    if (this.detached || this.place) await this.start();
    else this.log.follow(true);
  }

  // To the very first line.
  async toStart() {
    if (!this.hasFirst) {
      await this.start(FIRST);
      return;
    }
    this.log.follow(false);
    this.log.box.scrollTop = 0;
  }

  get hasFirst() {
    const { first } = this.log;
    return !first || (this.steps ? first === this.steps.first : isFirst(first));
  }

  // The reader has come to the last line that is loaded.
  reachedEnd() {
    if (!this.detached && !this.behind) {
      this.log.follow(true);
      return;
    }
    // A reader on the way down is shown the next part, not dragged to the end of it all.
    this.log.dropAbove();
    if (this.detached) this.connect(this.complete);
  }

  // Load what comes before the first line that is here.
  async older() {
    const first = this.log.first;
    if (this.reading || this.hasFirst) return;
    if (this.steps) {
      this.screen.showNotice("What comes before is not loaded any more: Home goes to the first line.");
      return;
    }
    if (this.log.size > MAX_LINES) {
      await this.start(first);
      return;
    }
    this.reading = true;
    try {
      await this.readOlder(first);
    } catch (error) {
      this.screen.showNotice(`Earlier output cannot be read: ${error.message}`);
    } finally {
      this.reading = false;
    }
  }

  async readOlder(first) {
    const last = first.newlines ? first.seq : first.seq - 1;
    // One line may lie in very many chunks: it takes a longer way back to find where it begins.
    for (let chunks = this.pageChunks(PAGE_LINES); ; chunks *= 4) {
      const lines = new Lines(this.lines.origin);
      const after = Math.max(0, last - chunks);
      const pieces = await readStored(this.id, after, last);
      if (this.closed || this.log.first !== first) return;
      const older = pieces.flatMap((piece) => lines.add(piece)[0]).filter((line) => isBefore(line, first));
      if (older.length === 0 && after > 0 && chunks < MAX_CHUNKS) continue;
      this.log.prepend(older, lines.open);
      return;
    }
  }

  // About how many chunks hold so many lines, judged by those that are here.
  pageChunks(lines) {
    const first = this.log.first;
    const perChunk = first && this.seen ? this.log.size / Math.max(1, this.seen[0] - first.seq + 1) : 10;
    return Math.max(1, Math.min(lines, Math.round(lines / perChunk)));
  }
}
