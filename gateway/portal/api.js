// The gateway's interface: one call, and what went wrong as a Problem.

const base = new URL("..", import.meta.url);
const KEY = "weir.key";
export const NOT_MODIFIED = 304;

/** The access key lives as long as the browser's tab. */
export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** What the gateway said when it did not do what it was asked (RFC 9457); status 0: it was not reached. */
export class Problem extends Error {
  /** What the page finds by itself, before it asks the gateway; errors as those of the gateway: [{pointer, detail}]. */
  static own(detail, errors = []) {
    return Object.assign(new Problem(422, { detail, errors }), { own: true });
  }

  constructor(status, told, headers) {
    super(told.detail || told.title || "no reason was told");
    this.status = status;
    this.errors = told.errors || [];
    this.requestId = told.request_id;
    this.retryAfter = Number(headers?.get("Retry-After")) || undefined;
  }
}

/** "/v1/orders/a%20b": a path of the interface from its pieces; an action goes behind a colon. */
export function path(collection, id, action) {
  const item = id === undefined ? "" : `/${encodeURIComponent(id)}`;
  return `v1/${collection}${item}${action ? `:${action}` : ""}`;
}

async function read(response) {
  const text = await response.text();
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return { detail: text.slice(0, 200) };
  }
}

/**
 * One request. path: below the gateway's base, or a whole path as Location and Link give it. Answers the Response, whose body
 * is still to be read; throws a Problem. text: a body that is JSON text already. signal: ends it early, with an AbortError.
 */
export async function send(method, where, { body, text, type = "application/json", headers = {}, signal } = {}) {
  const sent = { ...headers };
  if (key.get()) sent.Authorization = `Bearer ${key.get()}`;
  const content = body === undefined ? text : JSON.stringify(body);
  if (content !== undefined) sent["Content-Type"] = type;
  let response;
  try {
    response = await fetch(new URL(where, base), {
      method, headers: sent, signal, cache: "no-store", credentials: "same-origin", body: content,
    });
  } catch (error) {
    if (isLeft(error)) throw error;
    throw new Problem(0, { detail: "the gateway was not reached" });
  }
  if (!response.ok && response.status !== NOT_MODIFIED) throw new Problem(response.status, (await read(response)) || {}, response.headers);
  return response;
}

/** A request whose answer is JSON: {status, headers, data}. Else as send. */
export async function call(method, where, options) {
  const response = await send(method, where, options);
  return { status: response.status, headers: response.headers, data: await read(response) };
}

/** The path of the next page, out of a Link header; undefined at the end. */
export function nextPage(headers) {
  return /<([^>]*)>;\s*rel="next"/.exec(headers.get("Link") || "")?.[1];
}

/** What a request ends with when its view was left; nobody wants to hear of it any more. */
export const isLeft = (error) => error.name === "AbortError";

/** An Idempotency-Key: the same command sent twice with it counts once. */
export function newCommandKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Milliseconds of rest, cut short by the signal. */
export function rest(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
