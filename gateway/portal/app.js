// The frame: sign-in, the views by the address behind #, who is there.
import { key } from "./api.js";
import { h } from "./dom.js";
import * as letters from "./letters.js";
import * as orders from "./orders.js";
import * as place from "./place.js";
import { problemBox } from "./problems.js";
import * as session from "./session.js";
import * as subscriptions from "./subscriptions.js";

const main = document.getElementById("main");
let leaving = new AbortController();

// Each view has name, title, isFor() and show(content, {id, query}, signal), whose signal ends when the view is left; one with pages of
// single things also titleOf(id).
const views = [place, orders, subscriptions, letters];

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readAddress() {
  const [, name = "", id] = /^#\/([^/?]*)(?:\/([^?]*))?/.exec(location.hash) || [];
  const query = new URLSearchParams(location.hash.split("?")[1] || "");
  return { name, id: id ? decode(id) : undefined, query };
}

function drawFrame(name) {
  const link = (view) => h("a", { href: `#/${view.name}`, "aria-current": view.name === name ? "page" : null }, view.title);
  document.getElementById("nav").replaceChildren(...views.filter((view) => view.isFor()).map(link));
  document.getElementById("who").replaceChildren(h("span", {}, session.principal()),
    ...(key.get() ? [h("button", { type: "button", onclick: signOut }, "Sign out")] : []));
}

function signOut() {
  key.forget();
  location.hash = "";
  location.reload();
}

async function draw() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { name, id, query } = readAddress();
  const view = views.find((one) => one.name === name && one.isFor()) || views.find((one) => one.isFor());
  if (!view) {
    main.replaceChildren(h("h1", { tabindex: "-1" }, "Nothing here"), h("p", {}, "Your key may not do anything that this page is for."));
    return;
  }
  drawFrame(view.name);
  const heading = h("h1", { tabindex: "-1" }, id !== undefined && view.titleOf ? view.titleOf(id) : view.title);
  document.title = `${heading.textContent} · Weir`;
  const content = h("div", { "aria-busy": "true" });
  main.replaceChildren(heading, content);
  heading.focus();
  await fill(view, content, { id, query }, signal);
}

async function fill(view, content, parameters, signal) {
  try {
    await view.show(content, parameters, signal);
  } catch (problem) {
    if (signal.aborted) return;
    if (problem.status === undefined) throw problem;
    if (problem.status === 401) enter();
    else content.replaceChildren(problemBox(problem, h("button", { type: "button", onclick: draw }, "Try again")));
  } finally {
    content.removeAttribute("aria-busy");
  }
}

function askForKey() {
  key.forget();
  document.title = "Sign in · Weir";
  session.signIn(main, draw);
}

async function enter() {
  try {
    if (await session.load()) draw();
    else askForKey();
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    if (problem.status === 401) askForKey();
    else main.replaceChildren(problemBox(problem, h("button", { type: "button", onclick: enter }, "Try again")));
  }
}

document.getElementById("skip").addEventListener("click", () => main.querySelector("h1")?.focus());
addEventListener("hashchange", () => session.isSignedIn() && draw());
enter();
