// Who is signed in, and what the key may do: asked of the gateway, never guessed.
import { Problem, call, key } from "./api.js";
import { h } from "./dom.js";
import { field, form, valueOf } from "./fields.js";

let session = null;

/** Asks anew who is signed in: false for nobody. Throws a Problem (401: the key is not known). */
export async function load() {
  session = (await call("GET", "portal/session")).data;
  return session.principal !== null;
}

export const isSignedIn = () => session !== null && session.principal !== null;
export const principal = () => session.principal;
export const collections = () => session.collections;
export const collection = (name) => session.collections.find((one) => one.name === name);

/** Whether the key holds the scope; reading needs a store that keeps the collection, too. */
export function may(name, verb) {
  const found = collection(name);
  return found !== undefined && found.may.includes(verb) && (verb !== "read" || found.stored);
}

/** Whether the key may read or redrive dead letters, where they are told of. */
export const mayLetters = (verb) => session.dlq.includes(verb);

/** Whether the gateway tells what changes, as it changes. */
export const hasFeed = () => session.feed === true;

/** The page that asks for a key. entered() is called once the gateway knows it. */
export function signIn(main, entered) {
  const secret = field("Access key", "", { type: "password", required: true, autocomplete: "current-password",
    hint: "It is kept in this tab only, until you sign out or close it." });
  main.replaceChildren(
    h("h1", { tabindex: "-1" }, "Sign in"),
    h("div", { class: "card" }, form("Sign in", "Sign in", [secret], async () => {
      if (!/^[!-~]+$/.test(valueOf(secret))) throw new Problem(401, { detail: "an access key is ASCII letters, digits and signs" });
      key.set(valueOf(secret));
      try {
        await load();
      } catch (problem) {
        key.forget();
        throw problem;
      }
      entered();
    })));
}
