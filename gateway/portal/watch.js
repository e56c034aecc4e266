// What became of a command: asked again and again, each time waiting for news, until it has ended.
import { call, rest } from "./api.js";

const WAIT_S = 8;
const BETWEEN_MS = 300;
const TROUBLE_MS = 2000;

const ENDS = ["stored", "unchanged", "rejected", "dead-lettered"];
const mayPass = (problem) => [0, 429, 503, 504].includes(problem.status);

/**
 * The outcomes of the command whose 202 answered `where` as its Location, the last one being its end. `trouble`, a Problem, is in those
 * that could not be asked for; it goes on. Ends early with the signal.
 */
export async function* outcomes(where, signal) {
  while (!signal.aborted) {
    let outcome = { outcome: "pending" };
    try {
      outcome = (await call("GET", `${where}&wait=${WAIT_S}`, { signal })).data;
    } catch (problem) {
      if (signal.aborted) return;
      if (problem.status === undefined || !mayPass(problem)) throw problem;
      outcome.trouble = problem;
    }
    yield outcome;
    if (ENDS.includes(outcome.outcome)) return;
    await rest(outcome.trouble ? TROUBLE_MS : BETWEEN_MS, signal);
  }
}

// Where the outcome of an order is told that was placed in this tab, for its page.
const nameOf = (id) => `weir.placed.${id}`;
export const remember = (id, where) => sessionStorage.setItem(nameOf(id), where);
export const recall = (id) => sessionStorage.getItem(nameOf(id));
