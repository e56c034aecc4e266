// A journey, drawn: one step below the other.
import { h } from "./dom.js";
import { time } from "./format.js";

const marks = { good: "✓", bad: "!", waiting: "…" };

/** steps: {state: "good" | "bad" | "waiting", title, detail, at}; at: a time, detail: text or an element; both may be left out. */
export function timeline(steps) {
  return h("ol", { class: "timeline" }, steps.map((step) =>
    h("li", { class: step.state },
      h("span", { class: "mark", "aria-hidden": "true" }, marks[step.state]),
      h("p", {}, h("strong", {}, step.title), step.at === undefined ? null : h("span", { class: "dim" }, ` ${time(step.at)}`)),
      step.detail ? h("p", { class: "dim" }, step.detail) : null)));
}
