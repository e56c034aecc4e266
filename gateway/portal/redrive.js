// Sends dead letters back to their service: first what would happen, then the button that does it.
import { call } from "./api.js";
import { h, table } from "./dom.js";
import { actionButton, form } from "./fields.js";
import { cell } from "./format.js";
import { mayLetters } from "./session.js";

const count = (number) => `${number} ${number === 1 ? "letter" : "letters"}`;
const KEPT = ["loop", "impossible", "changed", "unpatchable"];

/** The request as text, so that the numbers of a mended body (set) stay as they were written. */
function textOf({ filter, set }, dry) {
  const parts = [`"dry_run":${dry}`];
  if (filter) parts.push(`"filter":${JSON.stringify(filter)}`);
  if (set) parts.push(`"set":[{"pointer":"","value":${set}}]`);
  return `{${parts.join(",")}}`;
}

const ask = async (where, chosen, dry, signal) => (await call("POST", where, { text: textOf(chosen, dry), signal })).data;

/** What stays, with the reason of each. */
function keptTable(answer) {
  const kept = answer.letters.filter((one) => KEPT.includes(one.verdict));
  return kept.length === 0 ? null : table("Left where they are", ["Letter", "Key", "Why"], kept.map((one) => [one.letter, cell(one.key), cell(one.why)]));
}

/** A run ends when its time is up; what it has not come to is for the next one. */
async function sendAll(where, chosen, place, signal) {
  let sent = 0;
  let answer;
  do {
    answer = await ask(where, chosen, false, signal);
    sent += answer.sent;
    place.replaceChildren(h("p", { role: "status", class: "good" }, `${count(sent)} went back.`),
      answer.why ? h("p", { class: "bad" }, answer.why) : "", keptTable(answer) || "");
  } while (answer.interrupted && answer.sent > 0 && !answer.why);
}

function told(where, chosen, answer, place, signal) {
  const more = answer.interrupted ? " so far; there are more than could be looked at in time" : "";
  const before = answer.already > 0 ? ` ${count(answer.already)} went back before.` : "";
  place.replaceChildren(h("p", { role: "status" }, `${count(answer.sent)} would go back${more}.${before}`), keptTable(answer) || "",
    answer.sent > 0 ? actionButton(`Send ${count(answer.sent)} back`, place, () => sendAll(where, chosen, place, signal), { class: "main" }) : "");
}

/** The card, null for whom it is not for. choose(): {filter} or {set}, set being JSON text; may throw a Problem. */
export function redriveCard(heading, where, choose, signal, content = []) {
  if (!mayLetters("redrive")) return null;
  const place = h("div", { "aria-live": "polite" });
  return h("section", { class: "card", "aria-label": heading }, h("h2", {}, heading),
    form(heading, "See what would happen", [content].flat(), async () => {
      place.replaceChildren();
      const chosen = choose();
      told(where, chosen, await ask(where, chosen, true, signal), place, signal);
    }), place);
}
