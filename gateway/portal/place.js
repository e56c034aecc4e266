// Placing an order, and watching what becomes of it.
import { call, newCommandKey, path, Problem } from "./api.js";
import { h } from "./dom.js";
import { field, form, valueOf } from "./fields.js";
import { money, totalOf } from "./format.js";
import { accepted, mailAwaited, mailStep, outcomeStep } from "./journey.js";
import { freeLines } from "./lines.js";
import { productLines } from "./products.js";
import { collection, may } from "./session.js";
import { timeline } from "./timeline.js";
import { mails, outcomes, remember } from "./watch.js";

export const name = "place";
export const title = "Place an order";
export const isFor = () => may("orders", "create");

function makeOrder(fields, lines) {
  const items = lines.items();
  if (items.length === 0) throw Problem.own("An order has at least one article.");
  const order = { customerID: valueOf(fields.customer), status: "CREATED", total: totalOf(items), items };
  if (valueOf(fields.id) !== "") order[collection("orders").key] = valueOf(fields.id);
  if (valueOf(fields.email) !== "") order.email = valueOf(fields.email);
  if (lines.currency) order.currency = lines.currency;
  return order;
}

/** The same order sent again, because it is not known whether it came, is the same command. */
function commandKeys() {
  let last = {};
  return (order) => {
    const text = JSON.stringify(order);
    if (last.text !== text) last = { text, key: newCommandKey() };
    return last.key;
  };
}

/** Pending, stored, mailed: each when it happens. */
async function follow(answer, place, signal) {
  const { request_id: id, position, key } = answer.data;
  const where = answer.headers.get("Location");
  const steps = [accepted(id, position)];
  const draw = (...more) => place.replaceChildren(timeline([...steps, ...more]));
  if (!where) return draw({ state: "good", title: "Handed on", detail: "no store keeps orders here" });
  remember(key, where);
  let last = { outcome: "pending" };
  draw(outcomeStep(last));
  for await (last of outcomes(where, signal)) draw(outcomeStep(last));
  if (last.outcome !== "stored" || !may("orders", "read")) return undefined;
  steps.push(outcomeStep(last));
  let sent = [];
  for await (sent of mails(key, id, signal)) draw(...(sent.length > 0 ? sent.map(mailStep) : [mailAwaited]));
  return draw(...sent.map(mailStep));
}

function showAccepted(content, answer, again, signal) {
  const { key } = answer.data;
  const place = h("div", { "aria-live": "polite" });
  const heading = h("h2", { tabindex: "-1" }, `Order ${key} is accepted`);
  content.replaceChildren(h("div", { class: "card" }, heading,
    h("p", {}, "It will not be lost any more. This is what becomes of it:"), place,
    h("div", { class: "bar" },
      may("orders", "read") ? h("a", { class: "button", href: `#/orders/${encodeURIComponent(key)}` }, "See the order") : null,
      h("button", { type: "button", onclick: again }, "Place another order"))));
  heading.focus();
  follow(answer, place, signal).catch((problem) => {
    if (signal.aborted) return;
    if (problem.status === undefined) throw problem;
    place.append(h("p", { class: "bad" }, `What became of it could not be asked: ${problem.message}`));
  });
}

export async function show(content, parameters, signal) {
  const lines = (may("products", "read") ? await productLines(signal) : null) || freeLines();
  const keyOf = commandKeys();
  const fields = {
    customer: field("Customer", "/customerID", { required: true }),
    email: field("Mail address", "/email", { autocomplete: "email", hint: "May be left empty." }),
    id: field("Order number", `/${collection("orders").key}`, { hint: "Left empty, one is made." }),
  };
  const total = h("output", {}, money(0, lines.currency));
  const element = form("Order", "Place the order",
    [h("div", { class: "fields field" }, fields.customer, fields.email, fields.id), lines.element, h("p", {}, "Total: ", total)],
    async () => {
      const order = makeOrder(fields, lines);
      const answer = await call("POST", path("orders"), { body: order, headers: { "Idempotency-Key": keyOf(order) }, signal });
      showAccepted(content, answer, () => show(content, parameters, signal), signal);
    });
  element.addEventListener("input", () => { total.textContent = money(totalOf(lines.items()), lines.currency); });
  content.replaceChildren(h("div", { class: "card" }, element));
}
