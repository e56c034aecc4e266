// The steps of a journey: of one command by the outcome of its request, of an order by what the store knows of its last requests.
import { endingWords, titleOf } from "./problems.js";
import { timeOfRequest } from "./format.js";

const joined = (parts) => parts.filter((part) => part).join(" · ");

/** The step that a 202 is. */
export const accepted = (requestId, position) =>
  ({ state: "good", title: "Accepted", at: timeOfRequest(requestId) ?? Date.now(), detail: position ? `Kafka has it, at ${position}` : "Kafka has it" });

const titles = {
  stored: ["good", "Stored"],
  unchanged: ["good", "Without a change"],
  rejected: ["bad", "Rejected"],
  "dead-lettered": ["bad", "Put aside as a dead letter"],
  pending: ["waiting", "Waiting for the store"],
  retrying: ["waiting", "The store waits until it can go on"],
};
const changes = { c: "Stored: created", u: "Stored: changed", d: "Stored: deleted" };

function faults(outcome) {
  return [endingWords(outcome.error), outcome.detail, ...(outcome.errors || []).map((error) => `${error.pointer || "all of it"}: ${error.detail}`)];
}

/** The step that an outcome of /v1/requests/{id}, or the end of a request of a journey, is. */
export function outcomeStep(outcome) {
  const [state, title] = titles[outcome.outcome] || ["waiting", outcome.outcome];
  const detail = joined([outcome.version && `version ${outcome.version}`, outcome.trouble && titleOf(outcome.trouble), ...faults(outcome),
    outcome.change && `at ${outcome.change}`, outcome.letter && `in ${outcome.letter.topic}, partition ${outcome.letter.partition}`]);
  return { state, title: (outcome.outcome === "stored" && changes[outcome.op]) || title, at: outcome.ts_ms, detail };
}

const mailTitles = { sent: ["good", "Mailed"], failed: ["bad", "Not mailed"], suppressed: ["good", "Not mailed, as its reader wishes"] };

/** The step that a mail of a journey is. */
export function mailStep(mail) {
  const [state, title] = mailTitles[mail.status] || ["waiting", mail.status];
  return { state, title, at: mail.ts_ms, detail: joined([mail.recipient && `to ${mail.recipient}`, mail.reply]) };
}

/** While none was sent yet. */
export const mailAwaited = { state: "waiting", title: "Waiting for its mail" };

function requestSteps({ accepted: begin, executions, ended, mails = [] }) {
  const begun = { state: "good", title: "Accepted", at: begin.ts_ms, detail: joined([`at ${begin.at}`, executions > 1 && `carried out ${executions} times`]) };
  return [begun, outcomeStep(ended), ...mails.map(mailStep)];
}

/** The steps of …/{key}:journey, the oldest first. */
export function journeySteps({ document, requests, more, waiting }) {
  const steps = [...requests].reverse().flatMap(requestSteps);
  const last = document && !requests.some((request) => request.request === document.request);
  return [
    ...(more ? [{ state: "good", title: "There was more before" }] : []),
    ...(last ? [{ state: "good", title: "Stored", at: document.ts_ms, detail: `version ${document.version}` }] : []),
    ...steps,
    ...(waiting ? [outcomeStep({ outcome: "retrying", error: waiting })] : []),
  ];
}
