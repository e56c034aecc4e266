// Who gets mails of which changes.
import { call, newCommandKey, nextPage, path, Problem } from "./api.js";
import { h, table } from "./dom.js";
import { actionButton, field, form, inputOf, valueOf } from "./fields.js";
import { cell } from "./format.js";
import { collection, collections, may } from "./session.js";

export const name = "subscriptions";
export const title = "Subscriptions";
export const isFor = () => may(name, "create") || may(name, "read");

const PAGE = 25;
const WAIT = { Prefer: "wait=8" };
const states = {
  PENDING: ["waiting", "waits for its link to be confirmed"],
  CONFIRMED: ["good", "gets mails"],
  UNSUBSCRIBED: ["bad", "has left"],
  SUSPENDED: ["bad", "gets no mails for now"],
};

function stateOf({ status }) {
  const [look, words] = states[status] || ["dim", ""];
  return [h("span", { class: `badge ${look}` }, cell(status)), ` ${words}`];
}

function readFilter(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw Problem.own("The filter is not JSON.", [{ pointer: "/filter", detail: error.message }]);
  }
}

function subscribeForm(made) {
  const endpoint = field("Mail address", "/endpoint", { required: true, autocomplete: "email" });
  const topic = field("Changes of", "/collection", { control: h("select", {},
    collections().filter((one) => one.name !== name).map((one) => h("option", {}, one.name))) });
  const filter = field("Only those that match", "/filter", { control: h("textarea", { spellcheck: "false" }),
    hint: 'A filter policy, e.g. {"after.status": ["SHIPPED"]}. Left empty, whatever is new.' });
  return form("Subscribe", "Subscribe", [h("div", { class: "fields field" }, endpoint, topic), filter], async () => {
    const body = { endpoint: valueOf(endpoint), collection: inputOf(topic).value };
    if (valueOf(filter) !== "") body.filter = readFilter(valueOf(filter));
    await call("POST", path(name), { body, headers: { ...WAIT, "Idempotency-Key": newCommandKey() } });
    await made(body.endpoint);
  });
}

function removeButton(item, place, again) {
  async function remove() {
    await call("DELETE", path(name, item[collection(name).key]), { headers: WAIT });
    await again();
  }
  return actionButton("Remove", place, remove, { "aria-label": `Remove the subscription of ${cell(item.endpoint)}` });
}

/** One page behind the other, as they are asked for. */
async function fill(place, signal) {
  const again = () => fill(place, signal);
  const rows = [];
  let where = `${path(name)}?limit=${PAGE}`;
  async function more() {
    const { data, headers } = await call("GET", where, { signal });
    rows.push(...data.items.map((item) => [cell(item.endpoint), cell(item.collection), stateOf(item), h("code", {}, cell(item.filter)),
      may(name, "delete") ? removeButton(item, place, again) : ""]));
    where = nextPage(headers);
    place.replaceChildren(
      rows.length > 0 ? table("Subscriptions", ["Mail address", "Changes of", "Status", "Only", "Action"], rows) : h("p", {}, "There are none yet."),
      h("div", { class: "bar" }, actionButton("Load again", place, again),
        where ? actionButton("More", place, more) : null));
  }
  await more();
}

export async function show(content, parameters, signal) {
  const told = h("p", { role: "status", class: "good" });
  const list = h("div");
  async function made(endpoint) {
    told.textContent = `A mail with a link has been asked for to ${endpoint}. The subscription counts once the link is confirmed.`;
    if (may(name, "read")) await fill(list, signal);
  }
  content.replaceChildren(
    may(name, "create") ? h("section", { class: "card", "aria-label": "New subscription" }, told, subscribeForm(made)) : "",
    may(name, "read") ? h("section", { class: "card", "aria-label": "All subscriptions" }, list) : "");
  if (may(name, "read")) await fill(list, signal);
}
