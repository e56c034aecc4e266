// The steps of an order's journey, as far as the outcome of its request tells.
import { endingWords, titleOf } from "./problems.js";
import { timeOfRequest } from "./format.js";

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

/** The step that an outcome of /v1/requests/{id} is. */
export function outcomeStep(outcome) {
  const [state, title] = titles[outcome.outcome] || ["waiting", outcome.outcome];
  const parts = [outcome.version ? `version ${outcome.version}` : "", outcome.trouble ? titleOf(outcome.trouble) : "", endingWords(outcome.error),
    outcome.detail || "", ...(outcome.errors || []).map((error) => `${error.pointer || "all of it"}: ${error.detail}`)];
  return { state, title, at: outcome.ts_ms, detail: parts.filter((part) => part !== "").join(" · ") };
}
