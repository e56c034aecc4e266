// What went wrong, in plain words: what it means and what to do now.
import { h } from "./dom.js";

const words = {
  0: ["The gateway was not reached", "Look whether you are online, then try again. Trying again cannot do anything twice."],
  400: ["The gateway did not understand this", "Look at what is marked below."],
  401: ["You are not signed in", "Sign in with an access key."],
  403: ["Your key is not for this", "Ask whoever gave you the key for the scope that is missing."],
  404: ["There is nothing of that name", "It may have been deleted, or not have been stored yet."],
  409: ["This cannot be done as things stand", "Something of that name is there already, or a number would fall below its minimum. Choose another name or a smaller number."],
  412: ["Somebody else has changed it in the meantime", "Load it again, look at what is different now, and repeat your change."],
  413: ["This is too large", "Send less at a time."],
  422: ["Something does not fit", "Mend what is marked and send it again. Nothing was written."],
  428: ["The gateway wants to know what you saw", "Load it again and repeat your change."],
  429: ["That was too much at a time", "Your key has a rate, and it is used up for now. Wait a moment, then try again."],
  503: ["The service is busy or restarting", "Nothing was written. Try again in a moment."],
  504: ["It is not known whether this was done", "Try again here: the same command counts once, however often it is sent."],
};

export const titleOf = (problem) => (words[problem.status] || ["This did not work"])[0];

function advice(problem) {
  const text = (words[problem.status] || [null, "If it stays so, tell your operators the number of the request."])[1];
  return problem.retryAfter ? `${text} (in ${problem.retryAfter} s)` : text;
}

/** The box that tells a problem. more: elements below the text, like a button to try again. */
export function problemBox(problem, ...more) {
  return h("div", { class: "problem", role: "alert" },
    h("h2", {}, titleOf(problem)),
    h("p", {}, advice(problem)),
    problem.status === 0 ? null : h("p", { class: "dim" }, problem.own ? problem.message : `The gateway says: ${problem.message}`),
    problem.requestId ? h("p", { class: "dim" }, "Request ", h("code", {}, problem.requestId)) : null,
    more);
}

// How a command ended that was accepted first, by the store's words.
const endings = {
  "already-exists": "There is one of that name already. Choose another name.",
  "precondition-failed": "Somebody else has changed it in the meantime. Load it again and repeat your change.",
  minimum: "A number would have fallen below its minimum, e.g. a stock below nothing.",
  "not-found": "It was not there any more.",
  "idempotency-key-reused": "The same command was sent before with another content.",
  invalid: "The content breaks the rules of the collection. It is a dead letter now, which operators can mend and send again.",
  "too-large": "The document would have become too large.",
  "max-attempts": "It failed again and again. It is a dead letter now, which operators can send again.",
};

export const endingWords = (error) => endings[error] || (error ? `The store says: ${error}` : "");
