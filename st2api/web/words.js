// Times, durations and errors in words.

// How long an execution has taken, so far or altogether.
export function duration(execution) {
  const end = execution.end_timestamp ? new Date(execution.end_timestamp) : new Date();
  const seconds = Math.max(0, (end - new Date(execution.start_timestamp)) / 1000);
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// The time of today, or the day as well.
export function moment(timestamp) {
  const time = new Date(timestamp);
  const today = time.toDateString() === new Date().toDateString();
  return today ? time.toLocaleTimeString() : time.toLocaleString();
}

export const count = (number, word) => `${number.toLocaleString()} ${word}${number === 1 ? "" : "s"}`;

// Why it failed, where that is told beside the output: for the whole of it, or for each of its hosts.
export function errorOf(result) {
  if (!result || typeof result !== "object") return "";
  if (typeof result.error === "string") return result.error;
  return Object.entries(result)
    .filter(([, host]) => typeof host?.error === "string" && host.error)
    .map(([host, { error }]) => `${host}: ${error}`)
    .join("\n");
}

export function parametersOf(execution) {
  const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(execution.parameters || {})
    .map(([name, value]) => `${name}=${shown(value)}`)
    .join("  ");
}
