// One order: its journey, its document, and its status to be changed.
import { call, path } from "./api.js";
import { h, table, terms } from "./dom.js";
import { actionButton, field, form, inputOf } from "./fields.js";
import { cell, money } from "./format.js";
import { journeySteps, outcomeStep } from "./journey.js";
import { may } from "./session.js";
import { timeline } from "./timeline.js";
import { outcomes, recall } from "./watch.js";

const STATUSES = ["CREATED", "CONFIRMED", "REJECTED", "PAID", "SHIPPED", "DELIVERED", "CANCELLED"];
const WAIT = { Prefer: "wait=8" };

function journeyCard(journey) {
  return h("section", { class: "card", "aria-label": "Journey" }, h("h2", {}, "Journey"), timeline(journeySteps(journey)));
}

function itemTable(order) {
  if (!Array.isArray(order.items) || order.items.length === 0) return null;
  return table("What is ordered", ["Article", "Quantity", "Unit price"],
    order.items.map((item) => [cell(item?.sku), cell(item?.quantity), money(item?.unitPrice, order.currency)]), [1, 2]);
}

function documentCard(order, headers) {
  const plain = Object.entries(order).filter(([member]) => member !== "items").map(([member, value]) => [member, cell(value)]);
  return h("section", { class: "card", "aria-label": "Document" }, h("h2", {}, "Document"),
    terms([...plain, ["version", headers.get("Weir-Version")]]), itemTable(order),
    h("details", {}, h("summary", {}, "As it is stored"), h("pre", { tabindex: "0" }, JSON.stringify(order, null, 2))));
}

function statusCard(id, order, headers, changed, signal) {
  const choices = STATUSES.includes(order.status) || order.status === undefined ? STATUSES : [order.status, ...STATUSES];
  const status = field("Status", "/status", { control: h("select", {}, choices.map((one) => h("option", { selected: one === order.status }, one))) });
  return h("section", { class: "card", "aria-label": "Change" }, h("h2", {}, "Change the status"),
    form("Status", "Save", [status], async () => {
      await call("PATCH", path("orders", id), { body: { status: inputOf(status).value }, type: "application/merge-patch+json",
        headers: { ...WAIT, "If-Match": headers.get("ETag") }, signal });
      await changed();
    }));
}

/** An order that the store knows nothing of, perhaps not yet: what the tab that placed it knows of it. */
async function showUnknown(content, id, problem, signal) {
  const where = recall(id);
  if (problem.status !== 404 || where === null) throw problem;
  const place = h("div", { "aria-live": "polite" });
  content.replaceChildren(h("div", { class: "card" }, place));
  for await (const outcome of outcomes(where, signal)) {
    place.replaceChildren(timeline([outcomeStep(outcome)]));
    if (outcome.outcome === "stored") await show(content, id, signal);
  }
}

async function documentCards(id, again, signal) {
  const { data: order, headers } = await call("GET", path("orders", id), { signal });
  return [documentCard(order, headers), may("orders", "merge") ? statusCard(id, order, headers, again, signal) : ""];
}

export async function show(content, id, signal) {
  let journey;
  try {
    journey = (await call("GET", path("orders", id, "journey"), { signal })).data;
  } catch (problem) {
    return showUnknown(content, id, problem, signal);
  }
  const again = () => show(content, id, signal);
  const cards = journey.document ? await documentCards(id, again, signal) : [h("p", {}, "There is no order of this name now.")];
  content.replaceChildren(journeyCard(journey), ...cards, h("div", { class: "bar" }, actionButton("Load again", content, again)));
  return undefined;
}
