// What became of a command: asked again and again, each time waiting for news, until it has ended; then its mails.
import { call, path, rest } from "./api.js";

const WAIT_S = 8;
const BETWEEN_MS = 300;
const TROUBLE_MS = 2000;
const MAIL_MS = 1000;
const MAIL_TRIES = 30;
const UNKNOWN_TRIES = 5; // a gateway looks for the notifiers when it is first asked

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

async function readMails(id, request, signal) {
  try {
    const { data } = await call("GET", path("orders", id, "journey"), { signal });
    return data.requests.find((one) => one.request === request)?.mails;
  } catch (problem) {
    if (problem.status === undefined || !mayPass(problem)) throw problem;
    return undefined;
  }
}

/**
 * The mails that an order's request led to, as its journey tells them: an empty list while there is none, the last one being what
 * went out. Ends without one where no notifier tells, or none was sent for a while.
 */
export async function* mails(id, request, signal) {
  for (let tries = 1, known = false; tries <= (known ? MAIL_TRIES : UNKNOWN_TRIES); tries += 1) {
    const found = await readMails(id, request, signal);
    if (signal.aborted) return;
    known ||= found !== undefined;
    if (found !== undefined) yield found;
    if (found?.length > 0) return;
    await rest(MAIL_MS, signal);
  }
}

// Where the outcome of an order is told that was placed in this tab, for its page.
const nameOf = (id) => `weir.placed.${id}`;
export const remember = (id, where) => sessionStorage.setItem(nameOf(id), where);
export const recall = (id) => sessionStorage.getItem(nameOf(id));
