// What is ordered, typed in line by line.
import { h } from "./dom.js";
import { field, inputOf, valueOf } from "./fields.js";

function makeLine(remove) {
  const sku = field("Article", "", { required: true });
  const quantity = field("Quantity", "", { type: "number", min: "1", step: "1", value: "1", required: true });
  const price = field("Unit price", "", { type: "number", min: "0", step: "any" });
  const element = h("div", { class: "row field" }, sku, quantity, price,
    h("button", { type: "button", onclick: () => remove(line) }, "Remove"));
  const line = { element, sku, quantity, price };
  return line;
}

function itemOf(line, index) {
  for (const [name, member] of [["sku", "sku"], ["quantity", "quantity"], ["price", "unitPrice"]])
    inputOf(line[name]).dataset.pointer = `/items/${index}/${member}`;
  const item = { sku: valueOf(line.sku), quantity: Number(valueOf(line.quantity)) };
  if (valueOf(line.price) !== "") item.unitPrice = Number(valueOf(line.price));
  return item;
}

/** {element, items()}: items gives each field the pointer of its member. */
export function freeLines() {
  const list = h("div");
  let lines = [];
  function remove(line) {
    if (lines.length === 1) return;
    lines = lines.filter((one) => one !== line);
    line.element.remove();
    inputOf(lines[0].sku).focus();
  }
  function add() {
    lines.push(makeLine(remove));
    list.append(lines.at(-1).element);
    inputOf(lines.at(-1).sku).focus();
  }
  lines.push(makeLine(remove));
  list.append(lines[0].element);
  const element = h("fieldset", {}, h("legend", {}, "What is ordered"), list, h("button", { type: "button", onclick: add }, "Add a line"));
  return { element, items: () => lines.map(itemOf) };
}
