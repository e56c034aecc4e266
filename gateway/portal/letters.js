// Dead letters: how many there are of each kind, and those of one kind.
import { call } from "./api.js";
import { h, table } from "./dom.js";
import { actionButton } from "./fields.js";
import { cell, time } from "./format.js";
import * as letter from "./letter.js";
import { redriveCard } from "./redrive.js";
import { mayLetters } from "./session.js";

export const name = "dlq";
export const title = "Dead letters";
export const titleOf = (id) => `Dead letter ${id.slice(id.indexOf("/") + 1).replaceAll("~", "/")}`;
export const isFor = () => mayLetters("read");

const PAGE = 25;
// What letters of Weir can be chosen by; those of other systems are shown with all of their service.
const DISPOSITIONS = ["invalid", "max-attempts", "expired", "too-large", "wrong-partition", "crashed"];

/** "a=1&b=%20": what is empty is left out. */
const queryOf = (pairs) => Object.entries(pairs).filter(([, value]) => value)
  .map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");

/** The filter that chooses the letters of a group. */
function filterOf(service, group) {
  if (!DISPOSITIONS.includes(group.disposition)) return {};
  const end = `.${service}.dlq`;
  return {
    disposition: group.disposition, error_type: group.error_type,
    source: group.topic.endsWith(end) ? group.topic.slice(0, -end.length) : "",
  };
}

const addressOf = (service, filter) => `#/dlq?${queryOf({ service, ...filter })}`;

/* ---- groups ---- */

function groupRow(service, group) {
  const words = [group.disposition, group.error_type].filter((word) => word).join(": ");
  return [h("a", { href: addressOf(service, filterOf(service, group)) }, words), service, group.topic,
    cell(group.open), cell(group.redriven), time(group.oldest), time(group.newest)];
}

async function showGroups(content, signal) {
  const { data } = await call("GET", "v1/dlq", { signal });
  const rows = data.services.flatMap(({ service, groups }) => groups.map((group) => groupRow(service, group)));
  content.replaceChildren(h("section", { class: "card", "aria-label": "Kinds" },
    rows.length > 0
      ? table("What could not be handled, by its reason", ["Reason", "Service", "Topic", "Open", "Sent back", "Oldest", "Newest"], rows, [3, 4])
      : h("p", {}, "There are none: everything could be handled."),
    h("div", { class: "bar" }, actionButton("Load again", content, () => showGroups(content, signal)))));
}

/* ---- those of one kind ---- */

function letterRow(service, one) {
  const address = `#/dlq/${service}/${encodeURIComponent(one.letter.replaceAll("/", "~"))}`;
  const state = one.redriven ? h("span", { class: "badge good" }, "sent back") : h("span", { class: "badge waiting" }, "open");
  return [h("a", { href: address }, one.letter), state, cell(one.key), cell(one.reason), time(one.written)];
}

/** One page behind the other, as they are asked for. */
async function fillLetters(place, service, filter, signal) {
  const rows = [];
  let cursor = "";
  async function more() {
    const { data } = await call("GET", `v1/dlq/${service}/letters?${queryOf({ limit: PAGE, cursor, ...filter })}`, { signal });
    rows.push(...data.letters.map((one) => letterRow(service, one)));
    cursor = data.next;
    place.replaceChildren(
      rows.length > 0 ? table("Letters", ["Letter", "State", "Key", "Reason", "Written"], rows) : h("p", {}, "None were found so far."),
      h("div", { class: "bar" }, actionButton("Load again", place, () => fillLetters(place, service, filter, signal)),
        data.more ? actionButton("More", place, more) : null));
  }
  await more();
}

async function showKind(content, query, signal) {
  const { service, ...filter } = Object.fromEntries(["service", "disposition", "error_type", "source"].map((part) => [part, query.get(part) || ""]));
  const chosen = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
  const list = h("div");
  const words = Object.values(chosen).join(", ");
  content.replaceChildren(
    h("p", {}, h("a", { href: "#/dlq" }, "All kinds"), ` › ${service}${words ? `: ${words}` : ""}`),
    h("section", { class: "card", "aria-label": "Letters" }, list),
    redriveCard("Send them back", `v1/dlq/${service}/letters:redrive`, () => ({ filter: chosen }), signal) || "");
  await fillLetters(list, encodeURIComponent(service), filter, signal);
}

export async function show(content, { id, query }, signal) {
  if (id !== undefined) return letter.show(content, id, signal);
  return query.get("service") ? showKind(content, query, signal) : showGroups(content, signal);
}
