// Elements from data. Text is only ever set as text: no document of a store can become markup.

/** h("a", {href: "#/orders", class: "x", onclick: f}, "text", otherElement): children that are null are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A table that scrolls by itself where it is too wide. rows: arrays of cells; numeric: columns set to the right. */
export function table(caption, heads, rows, numeric = []) {
  const side = (index) => (numeric.includes(index) ? { class: "number" } : {});
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads.map((head, index) => h("th", { scope: "col", ...side(index) }, head)))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, index) => h("td", side(index), cell)))))));
}

/** A description list of [term, content]; what is undefined is left out. */
export function terms(pairs) {
  return h("dl", {}, pairs.filter(([, content]) => content !== undefined && content !== null && content !== "")
    .flatMap(([term, content]) => [h("dt", {}, term), h("dd", {}, content)]));
}

let names = 0;
/** A name that no other element has. */
export const uniqueName = (stem) => `${stem}-${(names += 1)}`;
