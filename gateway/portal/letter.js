// One dead letter: why it is one, its record, and the way back, mended where that is needed.
import { call, Problem } from "./api.js";
import { h, table, terms } from "./dom.js";
import { field, inputOf } from "./fields.js";
import { cell, time } from "./format.js";
import { redriveCard } from "./redrive.js";

/** JSON on several lines, its numbers as they are; anything else as it is. */
function pretty(text) {
  try {
    const parsed = JSON.stringify(JSON.parse(text), null, 2);
    return JSON.stringify(JSON.parse(parsed)) === text.trim() ? parsed : text;
  } catch {
    return text;
  }
}

function reasonCard(one) {
  const state = one.redriven ? h("span", { class: "badge good" }, "sent back") : h("span", { class: "badge waiting" }, "open");
  const from = one.source_topic === undefined ? undefined : `${one.source_topic}/${cell(one.source_partition)}/${cell(one.source_offset)}`;
  return h("section", { class: "card", "aria-label": "Reason" },
    terms([["State", state], ["Reason", one.reason], ["Disposition", one.disposition], ["Type of error", one.error_type], ["Key", one.key],
      ["Written", time(one.written)], ["Its record", from], ["Executions", cell(one.executions)], ["Sent back before", cell(one.redrive_count)],
      ["Left out of it", one.cut], ["Group", one.group]]));
}

function recordCard(one) {
  const rows = one.headers.map(({ name, value, value_hex: hex }) => [h("code", {}, name), h("code", {}, hex ? `${value} (no UTF-8: ${hex})` : cell(value))]);
  return h("section", { class: "card", "aria-label": "Record" },
    h("h2", {}, "Body"), h("pre", { tabindex: "0" }, one.value === null ? "none" : pretty(one.value)),
    one.value_hex ? h("p", { class: "dim" }, "It is no UTF-8; byte by byte: ", h("code", {}, one.value_hex)) : null,
    h("details", {}, h("summary", {}, "Headers"), table("Headers", ["Name", "Value"], rows)));
}

/** The body to be mended. text(): "" while it is as it was. */
function bodyField(one) {
  const before = one.value === null || one.value_hex ? "" : pretty(one.value);
  const element = field("Body", "/set", { control: h("textarea", { spellcheck: "false" }),
    hint: "JSON. Change it here where the body is what was wrong; else leave it, and it goes back byte for byte." });
  inputOf(element).value = before;
  function text() {
    const now = inputOf(element).value;
    if (now === before) return "";
    try {
      JSON.parse(now);
    } catch (error) {
      throw Problem.own("The body is not JSON.", [{ pointer: "/set", detail: error.message }]);
    }
    return now;
  }
  return { element, text };
}

export async function show(content, id, signal) {
  const slash = id.indexOf("/");
  const where = `v1/dlq/${encodeURIComponent(id.slice(0, slash))}/letters/${encodeURIComponent(id.slice(slash + 1))}`;
  const { data: one } = await call("GET", where, { signal });
  const body = bodyField(one);
  const card = one.redriven ? null : redriveCard("Send it back", `${where}:redrive`, () => ({ set: body.text() }), signal, body.element);
  content.replaceChildren(h("p", {}, h("a", { href: "#/dlq" }, "All kinds")), reasonCard(one), recordCard(one), card || "");
}
