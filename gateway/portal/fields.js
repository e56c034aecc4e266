// Fields of a form, and the errors of the interface shown at the field that their JSON Pointer (RFC 6901) names.
import { isLeft } from "./api.js";
import { h, uniqueName } from "./dom.js";
import { problemBox } from "./problems.js";

/**
 * A labelled input. pointer: the member of the document that it fills; attributes: of the input; control: another element
 * than an input.
 */
export function field(label, pointer, { hint, control, ...attributes } = {}) {
  const id = uniqueName("field");
  const input = control || h("input", { type: "text", autocomplete: "off", ...attributes });
  input.id = id;
  input.dataset.pointer = pointer;
  input.setAttribute("aria-describedby", `${id}-error${hint ? ` ${id}-hint` : ""}`);
  return h("div", { class: "field" },
    h("label", { for: id }, label),
    input,
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
    h("p", { class: "error", id: `${id}-error` }));
}

export const inputOf = (labelled) => labelled.querySelector("input, select, textarea");
export const valueOf = (labelled) => inputOf(labelled).value.trim();

const errorOf = (input) => document.getElementById(`${input.id}-error`);

function clearErrors(form) {
  form.querySelectorAll("[data-pointer]").forEach((input) => {
    input.removeAttribute("aria-invalid");
    errorOf(input).textContent = "";
  });
}

/** The field that is at the pointer, else the one around it: /items/0/quantity is in /items/0. */
function findInput(form, pointer) {
  const inputs = [...form.querySelectorAll("[data-pointer]")];
  for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const found = inputs.find((input) => input.dataset.pointer === at);
    if (found) return found;
  }
  return undefined;
}

function mark(input, text) {
  const place = errorOf(input);
  input.setAttribute("aria-invalid", "true");
  place.textContent = place.textContent ? `${place.textContent}; ${text}` : text;
}

/**
 * Shows a problem: each error at its field, what has none in the box. The box goes into `place`; the first field at fault
 * gets the focus. more: as in problemBox.
 */
export function showProblem(form, place, problem, ...more) {
  clearErrors(form);
  const marked = problem.errors.map((error) => [error, findInput(form, error.pointer)]);
  marked.forEach(([error, input]) => input && mark(input, error.detail));
  const others = marked.filter(([, input]) => !input).map(([error]) => h("p", {}, `${error.pointer || "all of it"}: ${error.detail}`));
  place.replaceChildren(problemBox(problem, others, more));
  const first = marked.find(([, input]) => input);
  if (first) first[1].focus();
}

/** A button that does something with the interface; what goes wrong is told in `place`. attributes: more of the button's. */
export function actionButton(text, place, work, attributes = {}) {
  async function run() {
    element.disabled = true;
    try {
      await work();
    } catch (error) {
      if (isLeft(error)) return;
      if (error.status === undefined) throw error;
      place.prepend(problemBox(error));
    } finally {
      element.disabled = false;
    }
  }
  const element = h("button", { type: "button", onclick: run, ...attributes }, text);
  return element;
}

/**
 * A form whose button is busy while it is sent. send() may throw a Problem, which is shown; where trying again helps, there is
 * a button for it.
 */
export function form(label, button, content, send) {
  const place = h("div");
  const submit = h("button", { class: "main" }, button);
  async function run(event) {
    event.preventDefault();
    submit.disabled = true;
    clearErrors(element);
    place.replaceChildren();
    try {
      await send();
    } catch (error) {
      if (isLeft(error)) return;
      if (error.status === undefined) throw error;
      showProblem(element, place, error);
    } finally {
      submit.disabled = false;
    }
  }
  const element = h("form", { "aria-label": label, onsubmit: run }, place, content, h("div", { class: "bar" }, submit));
  return element;
}
