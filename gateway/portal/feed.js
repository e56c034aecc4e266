// What is changed elsewhere, as the change feed tells it. Server-sent events are read by fetch: an EventSource can't show a key.
import { Problem, send } from "./api.js";

/** The events of a stream of text: {type, data}, by the rules of the HTML standard as far as the gateway uses them. */
async function* events(text) {
  let rest = "";
  for await (const piece of text) {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = block.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line)).filter((field) => field);
      const valueOf = (name) => fields.filter((field) => field[1] === name).map((field) => field[2]).join("\n");
      yield { type: valueOf("event"), data: valueOf("data") };
    }
  }
}

async function* pieces(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * The changes of a collection from now on. Yields null as soon as none can be missed any more, and whenever the gateway says that
 * there is nothing new; else the change: {op, key, after, …}. Ends when the stream does; throws a Problem.
 */
export async function* changes(where, signal) {
  const response = await send("GET", where, { headers: { Accept: "text/event-stream" }, signal });
  try {
    for await (const { type, data } of events(pieces(response.body))) {
      if (type === "end") return;
      yield type === "change" ? JSON.parse(data) : null;
    }
  } catch (error) {
    if (error instanceof TypeError) throw new Problem(0, { detail: "the stream broke off" });
    throw error;
  }
}
