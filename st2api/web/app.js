// The page: which execution is watched, its head, and the controls.

import { ask, rawPath } from "./api.js";
import { ExecutionList } from "./list.js";
import { LogView } from "./log.js";
import { SignIn } from "./sign_in.js";
import { Watch } from "./watch.js";
import { count, duration, errorOf, parametersOf } from "./words.js";

const TIMES = ["off", "since start", "UTC", "local"];
const TOLD_MS = 1500;

const $ = (id) => document.getElementById(id);
let current = null;
// What a shell command needs besides the address.
let credential = "";

const log = new LogView($("log"), {
  changed: showFollowing,
  left: () => log.follow(false),
  reachedEnd: () => current?.reachedEnd(),
  reachedTop: () => current?.older(),
});
const list = new ExecutionList($("list"), $("list-state"), () => current?.id);
const screen = { showExecution, showEnd, showConnection, showNotice };

// ---- the head

function showExecution(watch) {
  const { execution } = watch;
  $("action").textContent = execution.action.ref;
  $("identity").textContent = execution.id;
  const parameters = parametersOf(execution);
  $("parameters").textContent = $("parameters").title = parameters;
  $("parameters").hidden = !parameters;
  $("waiting").textContent = execution.waiting || "";
  $("waiting").hidden = !execution.waiting;
  for (const stream of ["stdout", "stderr"]) {
    $(`raw-${stream}`).href = `${rawPath(execution.id, stream)}?follow=false`;
    $(`raw-${stream}`).download = `${execution.id}.${stream}.txt`;
  }
  $("curl").textContent = `curl -N ${credential}${location.origin}${rawPath(execution.id, "stdout")}`;
  // What a workflow has printed lies with its steps.
  for (const place of document.querySelectorAll(".raw, .curl")) place.hidden = watch.isWorkflow;
  $("cancel").disabled = execution.status === "canceling";
  showNotice(watch.completed ? errorOf(execution.result) : "");
  showEnd(watch);
}

function showEnd({ execution, end, completed }) {
  const status = completed ? execution.status : end?.status || execution.status;
  $("status").textContent = status;
  $("status").className = `status ${status}`;
  document.title = `${execution.action.ref} · ${status}`;
  $("cancel").hidden = completed || Boolean(end);
  const code = end?.exit_code ?? (completed ? execution.result?.return_code ?? execution.result?.exit_code : null);
  $("exit-code").textContent = Number.isInteger(code) ? `exit code ${code}` : "";
  showElapsed();
}

function showElapsed() {
  const execution = current?.execution;
  if (!execution) return;
  const end_timestamp = execution.end_timestamp || current.end?.timestamp;
  $("elapsed").textContent = duration({ ...execution, end_timestamp });
  const behind = Math.round(current.behind / 1000);
  $("behind").textContent = behind ? `catching up, ${behind} s behind` : "";
  showEmpty();
}

function showEmpty() {
  const empty = current.seen && !log.size;
  $("empty").hidden = !empty;
  const waiting = current.streamsLate ? "Its output appears when it has ended." : "No output yet.";
  if (empty) $("empty").textContent = current.over ? "It printed nothing." : waiting;
}

function showConnection(state, more = "") {
  $("connection").textContent = more ? `${state}: ${more}` : state;
  $("connection").className = `connection ${state}`;
  showFollowing();
}

function showNotice(text) {
  if ($("notice").textContent !== text) $("notice").textContent = text;
  $("notice").hidden = !text;
}

function showFollowing() {
  $("follow").setAttribute("aria-pressed", String(log.following));
  $("badge").hidden = log.following || (current?.over && log.nearEnd);
  const more = current?.detached ? "+" : "";
  const lines = log.newCount ? `${count(log.newCount, "new line")}${more} · ` : "";
  $("badge").textContent = current?.over || current?.completed ? "End ↓" : `Paused · ${lines}End ↓`;
}

// ---- which execution

// #/executions/<id>, or #/executions/<id>/L17.3 for a line of it. Other tools' links have more behind the id.
function show() {
  const found = location.hash.match(/^#\/(?:executions|history)\/([0-9a-f]{24}|last)(?:\/L(\d{1,15})(?:\.(\d{1,9}))?)?/);
  const place = found?.[2] ? { seq: Number(found[2]), newlines: Number(found[3] || 0) } : null;
  if (found && current?.id === found[1] && showPlace(place)) return;
  current?.close();
  current = null;
  $("execution").hidden = !found;
  $("hint").hidden = Boolean(found);
  document.body.classList.toggle("watching", Boolean(found));
  document.title = "Executions";
  if (found) {
    log.clear();
    showNotice("");
    current = new Watch(found[1], log, screen);
    current.begin(place);
  }
  list.refresh();
}

// Where nobody is asked who they are, commands need no credential.
async function learnCredential() {
  const { authentication } = await (await ask("/user")).json();
  credential = authentication.method === "no authentication" ? "" : '-H "X-Auth-Token: $ST2_AUTH_TOKEN" ';
}

function restart() {
  current?.close();
  current = null;
  learnCredential().catch((error) => showNotice(error.message)).finally(show);
}

// A line that is here already needs no more than a mark.
function showPlace(place) {
  if (!place || !log.first || current.steps || place.seq < log.first.seq || place.seq > current.seen[0]) return false;
  log.follow(false);
  log.highlight(log.find(place));
  return true;
}

// ---- controls

function toggleFollow() {
  if (log.following) log.follow(false);
  else toEnd();
}

function toEnd() {
  current?.toEnd().catch((error) => showNotice(error.message));
}

function toggleWrap() {
  const on = $("log").classList.toggle("wrap");
  $("wrap").setAttribute("aria-pressed", String(on));
  log.stick();
}

function nextTimes() {
  const mode = TIMES[(TIMES.indexOf(log.times) + 1) % TIMES.length];
  $("times").textContent = `Times: ${mode}`;
  log.showTimes(mode);
}

function toStart() {
  current?.toStart().catch((error) => showNotice(error.message));
}

async function cancel() {
  if (!confirm("Cancel this execution? Its processes are ended.")) return;
  try {
    await current.cancel();
  } catch (error) {
    showNotice(error.message);
  }
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), TOLD_MS);
  } catch (error) {
    showNotice(`The browser does not allow copying: ${error.message}`);
  }
}

$("follow").addEventListener("click", toggleFollow);
$("badge").addEventListener("click", toEnd);
$("wrap").addEventListener("click", toggleWrap);
$("times").addEventListener("click", nextTimes);
$("cancel").addEventListener("click", cancel);
$("copy").addEventListener("click", () => copy(log.text(), $("copy")));
$("copy-curl").addEventListener("click", () => copy($("curl").textContent, $("copy-curl")));
// Browsers have a clipboard for pages that came over HTTPS or from this host.
$("copy").hidden = !navigator.clipboard;
$("log").classList.add("wrap");

const KEYS = { End: toEnd, Home: toStart, f: toggleFollow, w: toggleWrap, t: nextTimes, c: () => $("copy").click() };
document.addEventListener("keydown", (event) => {
  const action = KEYS[event.key];
  if (!action || $("sign-in").open || event.ctrlKey || event.metaKey || event.altKey || $("execution").hidden) return;
  event.preventDefault();
  action();
});
window.addEventListener("hashchange", show);
setInterval(showElapsed, 200);
new SignIn($("sign-in"), restart);
restart();
