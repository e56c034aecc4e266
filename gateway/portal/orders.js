// The orders, found by an indexed member, a page at a time.
import { call, nextPage, path } from "./api.js";
import { h, table } from "./dom.js";
import { field, form, inputOf, valueOf } from "./fields.js";
import { cell, memberAt, money } from "./format.js";
import * as order from "./order.js";
import { collection, may } from "./session.js";

export const name = "orders";
export const title = "Orders";
export const titleOf = (id) => `Order ${id}`;
export const isFor = () => may("orders", "read");

const PAGE = 25;
const COLUMNS = ["customerID", "status", "total"];

/** The address of a search; what is empty is left out. */
function addressOf(search) {
  const query = new URLSearchParams(Object.entries(search).filter(([, value]) => value));
  return `#/orders${query.size > 0 ? `?${query}` : ""}`;
}

function searchForm(search) {
  const { indexes } = collection("orders");
  const option = (value, text, chosen) => h("option", { value, selected: value === chosen }, text);
  const by = field("Search by", "", { control: h("select", {}, option("", "everything", search.by),
    indexes.map((index) => option(index, index, search.by))) });
  const is = field("begins with", "", { value: search.is });
  const sort = field("Order of names", "", { control: h("select", {}, option("", "first to last", search.sort), option("desc", "last to first", search.sort)) });
  return form("Search", "Search", [h("div", { class: "row" }, by, is, sort)], async () => {
    location.hash = addressOf({ by: valueOf(by), is: valueOf(is), sort: inputOf(sort).value });
  });
}

function queryOf({ by, is, sort, cursor }) {
  const query = new URLSearchParams({ limit: PAGE });
  if (by && is) query.set(`${by}[prefix]`, is);
  if (sort) query.set("order", sort);
  if (cursor) query.set("cursor", cursor);
  return query;
}

function listOf(items, search) {
  const { key, indexes } = collection("orders");
  const columns = [...new Set([...COLUMNS, ...indexes])];
  const text = (item, column) => (column === "total" ? money(item.total, item.currency) : cell(memberAt(item, column)));
  if (items.length === 0) return h("p", {}, search.by && search.is ? "No order is like this." : "There are no orders yet.");
  return table(`Orders${search.by && search.is ? ` whose ${search.by} begins with ${search.is}` : ""}`, ["Order", ...columns],
    items.map((item) => [h("a", { href: `#/orders/${encodeURIComponent(item[key])}` }, cell(item[key])), ...columns.map((column) => text(item, column))]),
    [columns.indexOf("total") + 1]);
}

function pager(headers, search) {
  const next = nextPage(headers);
  const cursor = next && new URLSearchParams(next.split("?")[1]).get("cursor");
  return h("div", { class: "bar" },
    search.cursor ? h("a", { class: "button", href: addressOf({ ...search, cursor: "" }) }, "First page") : null,
    cursor ? h("a", { class: "button", href: addressOf({ ...search, cursor }) }, "Next page") : null);
}

export async function show(content, { id, query }, signal) {
  if (id !== undefined) return order.show(content, id, signal);
  const search = Object.fromEntries(["by", "is", "sort", "cursor"].map((part) => [part, query.get(part) || ""]));
  const result = h("div");
  content.replaceChildren(h("div", { class: "card" }, searchForm(search)), result);
  const { data, headers } = await call("GET", `${path("orders")}?${queryOf(search)}`, { signal });
  result.replaceChildren(h("div", { class: "card" }, listOf(data.items, search), pager(headers, search)));
  return undefined;
}
