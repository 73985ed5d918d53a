// The gateway, as the views ask it: every call has a deadline, and every error is a sentence.

import { session } from "./session.js";

export const SECONDS = 30;

// What went wrong, in words. `kind` is the name of HDFS's exception, `status` that of HTTP; 0 when
// the gateway did not answer.
export class ApiError extends Error {
  constructor(message, kind = "", status = 0) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

// Whether an error only says that the person went elsewhere.
export const isAbort = (error) => error.name === "AbortError";

// An absolute path of the cluster, as it stands in an address: each name by itself.
export function encodePath(path) {
  return path.split("/").map(encodeURIComponent).join("/");
}

// The address of something of the gateway, with the person's name where names are believed.
export function address(path, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) parameters.set(name, value);
  }
  if (session.mode === "simple" && session.user) parameters.set("user.name", session.user);
  // A plus is a blank in a query, as browsers write it, and the gateway reads it so.
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

// The address of an operation of WebHDFS on a path of the cluster.
export function webhdfsAddress(path, op, query = {}) {
  return address(`/webhdfs/v1${encodePath(path)}`, { op, ...query });
}

// Asks, and gives the Response, whose body the caller reads: `signal` ends that, too. The deadline
// is for its head. `json` is sent, if there is any.
export async function ask(target, options = {}) {
  const { method = "GET", json, seconds = SECONDS, signal } = options;
  const headers = { "X-Requested-By": "page" };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const response = await within(seconds, signal, (inner) => fetch(target, {
    method,
    headers,
    body: JSON.stringify(json),
    signal: inner,
    cache: "no-store",
    credentials: "same-origin",
  }));
  if (!response.ok) throw refusal(response.status, await response.text().catch(() => ""));
  return response;
}

// Asks, and gives what stands in the answer as JSON; null for an empty one.
export async function askJson(target, options = {}) {
  const { seconds = SECONDS, signal } = options;
  return within(seconds, signal, async (inner) => {
    const response = await ask(target, { ...options, signal: inner });
    const text = await response.text();
    try {
      return text ? JSON.parse(text) : null;
    } catch {
      throw new ApiError("The gateway's answer cannot be read.", "", response.status);
    }
  });
}

// An operation of WebHDFS on a path, and the JSON of its answer.
export function webhdfs(path, op, query = {}, options = {}) {
  return askJson(webhdfsAddress(path, op, query), options);
}

async function within(seconds, signal, run) {
  const inner = new AbortController();
  const end = () => inner.abort();
  const timer = setTimeout(end, seconds * 1000);
  if (signal?.aborted) end();
  signal?.addEventListener("abort", end);
  try {
    return await run(inner.signal);
  } catch (error) {
    if (error instanceof ApiError || (isAbort(error) && signal?.aborted)) throw error;
    // The gateway itself may wait for a namenode.
    if (isAbort(error)) throw new ApiError(`No answer came within ${seconds} seconds.`);
    if (error instanceof TypeError) throw new ApiError("The gateway cannot be reached.");
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

// What an answer of this status with this body says that went wrong.
export function refusal(status, body) {
  let told = {};
  try {
    told = JSON.parse(body).RemoteException || {};
  } catch {
    // It was no JSON: what stands between us and the gateway has answered.
  }
  const message = told.message || `The gateway answered ${status}.`;
  if (status === 401) document.dispatchEvent(new CustomEvent("unknown-visitor"));
  // Programs put it behind a colon; here it begins a sentence.
  const sentence = message[0].toUpperCase() + message.slice(1);
  return new ApiError(sentence, told.exception, status);
}
