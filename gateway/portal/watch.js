// What became of a command, then its mails: each question waits for news, until there are no more to come.
import { NOT_MODIFIED, call, path, rest } from "./api.js";

const WAIT_S = 8;
const BETWEEN_MS = 300;
const TROUBLE_MS = 2000;
const MAILS_MS = 30000;

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

/**
 * The journeys of an order: the one there is, then each other one as soon as there is one; null after a wait that brought none, undefined
 * when it could not be asked for.
 */
async function* journeys(id, signal) {
  let headers = {};
  while (!signal.aborted) {
    try {
      const answer = await call("GET", path("orders", id, "journey"), { headers, signal });
      headers = { "If-None-Match": answer.headers.get("ETag"), Prefer: `wait=${WAIT_S}` };
      yield answer.status === NOT_MODIFIED ? null : answer.data;
      await rest(BETWEEN_MS, signal);
    } catch (problem) {
      if (signal.aborted) return;
      if (problem.status === undefined || !mayPass(problem)) throw problem;
      yield undefined;
      await rest(TROUBLE_MS, signal);
    }
  }
}

/**
 * The mails that an order's request led to, as its journey tells them: an empty list while there is none, the last one being what
 * went out. Ends when nothing new comes for a while; without a list where no notifier tells.
 */
export async function* mails(id, request, signal) {
  const end = Date.now() + MAILS_MS;
  let found;
  for await (const journey of journeys(id, signal)) {
    if (journey) found = journey.requests.find((one) => one.request === request)?.mails;
    if (journey && found) yield found;
    const awaitsOne = found?.length === 0;
    if (Date.now() > end || (journey === null && !awaitsOne)) return;
  }
}

// Where the outcome of an order is told that was placed in this tab, for its page.
const nameOf = (id) => `weir.placed.${id}`;
export const remember = (id, where) => sessionStorage.setItem(nameOf(id), where);
export const recall = (id) => sessionStorage.getItem(nameOf(id));
