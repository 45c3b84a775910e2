// The two services, as the page talks to them.

const API = location.pathname.replace(/\/(v1\/?)?$/, "") + "/v1";
const STREAM = document.documentElement.dataset.stream;

export const COMPLETED = new Set(["succeeded", "failed", "timeout", "canceled", "abandoned"]);

// Sent to the document when the API wants to know who asks.
export const UNAUTHORIZED = "unauthorized";

// The answer of the API; an Error with its words where it refuses.
export async function ask(path, method = "GET", headers = {}) {
  const response = await fetch(API + path, { method, headers: { Accept: "application/json", ...headers } });
  if (response.status === 401) document.dispatchEvent(new Event(UNAUTHORIZED));
  if (!response.ok) throw new Error(await faultOf(response));
  return response;
}

async function faultOf(response) {
  try {
    return (await response.json()).faultstring;
  } catch {
    // HEAD has no body, and a proxy answers with a page of its own.
    return `${response.status} ${response.statusText}`;
  }
}

export const rawPath = (id, stream) => `${API}/executions/${id}/${stream}`;

// Server-sent events of what an execution prints behind a number.
export function openOutput(id, after, query = "") {
  return new EventSource(`${STREAM}/executions/${id}/output?since_seq=${after}${query}`, { withCredentials: true });
}

// The same of a workflow, of all its steps: everything but the chunks up to those that `since` names.
export const openTree = (id, since) => openOutput(id, 0, `&tree=true&since=${since}`);

export const STEP_START = "st2.execution.output__start";
export const OUTPUT = "st2.execution.output__create";
export const OUTPUT_END = "st2.execution.output__end";

// A chunk of several events has ids such as 17.1, 17.2 and at last 17.
export function parseCursor(text) {
  const [seq, part = Infinity] = text.split(".").map(Number);
  return [seq, part];
}

// What is stored of the numbers behind `after` up to `last`: a list of output documents.
export function readStored(id, after, last) {
  return new Promise((resolve, reject) => {
    const pieces = [];
    const source = openOutput(id, after, "&follow=false");
    const done = () => {
      source.close();
      resolve(pieces);
    };
    source.addEventListener(OUTPUT, (event) => {
      const piece = JSON.parse(event.data);
      if (piece.seq > last) done();
      else pieces.push(piece);
    });
    source.addEventListener("EOF", done);
    source.onerror = () => {
      source.close();
      reject(new Error("the stream service does not answer"));
    };
  });
}
