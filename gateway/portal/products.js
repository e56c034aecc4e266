// What is ordered, chosen among the products, whose stock is kept up to date while they are shown.
import { call, isLeft, nextPage, path, rest } from "./api.js";
import { h, table, uniqueName } from "./dom.js";
import { changes } from "./feed.js";
import { cell, money } from "./format.js";
import { collection, hasFeed } from "./session.js";

const FRESH_MS = 5000;
const PAGES_MAX = 5;
const LIVE = "The stock is live: it changes here when it changes.";

const idOf = (product) => product[collection("products").key];

async function load(signal) {
  const products = [];
  let where = `${path("products")}?limit=100`;
  for (let page = 0; where && page < PAGES_MAX; page += 1) {
    const { data, headers } = await call("GET", where, { signal });
    products.push(...data.items);
    where = nextPage(headers);
  }
  return products;
}

const asOfNow = () => `Stock as of ${new Date().toLocaleTimeString()}.`;

function makeRow(product) {
  const id = uniqueName("product");
  const quantity = h("input", { type: "number", min: "0", step: "1", value: "0", id, "aria-label": `Quantity of ${product.name || idOf(product)}`,
    "aria-describedby": `${id}-error`, "data-pointer": "" });
  const stock = h("span", {}, cell(product.stock));
  return { product, quantity, stock, error: h("p", { class: "error", id: `${id}-error` }) };
}

function itemsOf(rows) {
  rows.forEach((row) => { row.quantity.dataset.pointer = ""; });
  return rows.filter((row) => Number(row.quantity.value) > 0).map((row, index) => {
    row.quantity.dataset.pointer = `/items/${index}`;
    return { sku: idOf(row.product), quantity: Number(row.quantity.value), unitPrice: row.product.price };
  });
}

const showStock = (row, product) => { row.stock.textContent = product ? cell(product.stock) : "gone"; };

async function readAnew(rows, told, signal) {
  try {
    const now = new Map((await load(signal)).map((product) => [idOf(product), product]));
    rows.forEach((row) => showStock(row, now.get(idOf(row.product))));
    told.textContent = asOfNow();
  } catch (problem) {
    if (problem.status !== undefined) told.textContent = "The stock could not be read anew; it may be old.";
  }
}

/** Shows each change when it happens, until the stream ends. */
async function follow(rows, told, signal) {
  const byId = new Map(rows.map((row) => [idOf(row.product), row]));
  try {
    for await (const change of changes(path("products", undefined, "changes"), signal)) {
      if (!told.isConnected) return;
      if (change === null && told.textContent !== LIVE) await readAnew(rows, told, signal);
      if (change !== null && byId.has(change.key)) showStock(byId.get(change.key), change.after);
      told.textContent = LIVE;
    }
  } catch (error) {
    if (error.status === undefined && !isLeft(error)) throw error;
  }
}

/** By the change feed; by asking again where there is none, or it is interrupted. Until the view is left, or shows something else. */
async function keepFresh(rows, told, signal) {
  for (await rest(0, signal); told.isConnected && !signal.aborted; await rest(FRESH_MS, signal)) {
    if (hasFeed()) await follow(rows, told, signal);
    if (told.isConnected && !signal.aborted && !document.hidden) await readAnew(rows, told, signal);
  }
}

/** {element, items(), currency}, or null when there are no products. */
export async function productLines(signal) {
  const products = await load(signal);
  if (products.length === 0) return null;
  const rows = products.map(makeRow);
  const told = h("p", { class: "dim" }, asOfNow());
  keepFresh(rows, told, signal);
  const element = h("div", {},
    table("Products", ["Product", "Price", "In stock", "Quantity"],
      rows.map((row) => [h("span", {}, row.product.name || idOf(row.product), " ", h("code", { class: "dim" }, idOf(row.product))),
        money(row.product.price, row.product.currency), row.stock, [row.quantity, row.error]]), [1, 2]),
    told);
  return { element, items: () => itemsOf(rows), currency: products[0].currency };
}
