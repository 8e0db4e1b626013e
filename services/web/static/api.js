// Calls to the API. The key, or the session, lives in this tab's session storage and nowhere else.

import { seconds } from "/assets/times.js";
import { reasonOf, words } from "/assets/words.js";

const STORED = "zhiku.key";

export const key = () => sessionStorage.getItem(STORED);
export const keepKey = (value) => sessionStorage.setItem(STORED, value);
export const forgetKey = () => sessionStorage.removeItem(STORED);

/** Something to tell the person: `message` is in plain words, `status` is 0 when the server was not reached. */
export class Trouble extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

async function trouble(response, anonymous) {
  if (response.status === 401) return new Trouble(words(anonymous ? "error_login" : "error_key"), 401);
  const problem = await response.json().catch(() => ({}));
  if (response.status === 429) {
    const wait = seconds(Number(response.headers.get("retry-after") ?? 60));
    return new Trouble(words(anonymous ? "error_attempts" : "error_throttled", { time: wait }), 429);
  }
  if (response.status === 503) return new Trouble(words("error_busy") + trace(problem.trace_id), 503);
  if (response.status < 500 && problem.detail) return new Trouble(reasonOf(problem), response.status);
  return new Trouble(words("error_other", { detail: problem.detail ?? response.status }) + trace(problem.trace_id), response.status);
}

const trace = (id) => (id ? words("error_trace", { trace: id }) : "");

/** One request. `body` is sent as JSON, a FormData as it is; `ifMatch` is the latest version that one knows; `anonymous` sends no key. Throws `Trouble`; an AbortError stays itself. */
export async function call(path, { method = "GET", body, signal, ifMatch, anonymous = false } = {}) {
  const headers = anonymous ? {} : { Authorization: `Bearer ${key()}` };
  if (ifMatch !== undefined) headers["If-Match"] = `"${ifMatch}"`;
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: isForm || body === undefined ? body : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(words("error_down"));
  }
  if (!response.ok) throw await trouble(response, anonymous);
  return response;
}

export const json = async (path, options) => (await call(path, options)).json();

/** The items of a list; none if it can't be read: for choices that one can do without. */
export async function itemsOf(path) {
  try {
    return (await json(path)).items;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    return [];
  }
}

/** Server-sent events of a response, as `{event, data}` with the data decoded from JSON. */
export async function* events(response) {
  let buffer = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer = (buffer + value).replaceAll("\r\n", "\n");  // a pair may be cut in two: the rest waits in the buffer
      let end;
      while ((end = buffer.indexOf("\n\n")) >= 0) {
        const parsed = parseEvent(buffer.slice(0, end));
        buffer = buffer.slice(end + 2);
        if (parsed) yield parsed;
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(words("error_broken"));
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parseEvent(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
