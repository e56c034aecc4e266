// What is ordered, chosen among the products, whose stock is kept up to date while they are shown.
import { call, nextPage, path, rest } from "./api.js";
import { h, table, uniqueName } from "./dom.js";
import { cell, money } from "./format.js";
import { collection } from "./session.js";

const FRESH_MS = 5000;
const PAGES_MAX = 5;

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

/** Until the view is left, or shows something else. */
async function keepFresh(rows, told, signal) {
  for (await rest(FRESH_MS, signal); !signal.aborted; await rest(FRESH_MS, signal)) {
    if (!told.isConnected) return;
    if (document.hidden) continue;
    try {
      const now = new Map((await load(signal)).map((product) => [idOf(product), product]));
      rows.forEach((row) => { row.stock.textContent = now.has(idOf(row.product)) ? cell(now.get(idOf(row.product)).stock) : "gone"; });
      told.textContent = `Stock as of ${new Date().toLocaleTimeString()}.`;
    } catch (problem) {
      if (problem.status !== undefined) told.textContent = "The stock could not be read anew; it may be old.";
    }
  }
}

/** {element, items(), currency}, or null when there are no products. */
export async function productLines(signal) {
  const products = await load(signal);
  if (products.length === 0) return null;
  const rows = products.map(makeRow);
  const told = h("p", { class: "dim" }, `Stock as of ${new Date().toLocaleTimeString()}.`);
  keepFresh(rows, told, signal);
  const element = h("div", {},
    table("Products", ["Product", "Price", "In stock", "Quantity"],
      rows.map((row) => [h("span", {}, row.product.name || idOf(row.product), " ", h("code", { class: "dim" }, idOf(row.product))),
        money(row.product.price, row.product.currency), row.stock, [row.quantity, row.error]]), [1, 2]),
    told);
  return { element, items: () => itemsOf(rows), currency: products[0].currency };
}
