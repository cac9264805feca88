// Calls of the server, and screens that keep up with it.

import { h } from "./dom.js";

/** What went wrong, as the server says it: a sentence, a hint, the inputs that it is about. */
export class Failure extends Error {
  constructor(told, status) {
    super(told.error ?? "no answer");
    this.hint = told.hint ?? null;
    this.inputs = told.inputs ?? [];
    this.status = status;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(`/api${path}`, options);
  } catch {
    throw new Failure({ error: "the page’s server does not answer: is `invoke ui` still running?" }, 0);
  }
  const text = await response.text();
  if (response.ok) return text;
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    told = { error: text };
  }
  throw new Failure(told, response.status);
}

export const get = async (path) => JSON.parse(await answer(path));

export const post = async (path, body = {}) =>
  JSON.parse(await answer(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));

export const send = async (path, form) => JSON.parse(await answer(path, { method: "POST", body: form }));

const trouble = () => document.getElementById("trouble");

/** Says what went wrong at the head of the page; the words, as they stand there. */
export function complain(error) {
  trouble().textContent = error.hint ? `${error.message} Try: ${error.hint}` : error.message;
  trouble().hidden = false;
  return trouble().textContent;
}

export function content() {
  trouble().hidden = true;
}

let running = [];

/** Ends what keeps the present screen up to date: another one comes. */
export function still() {
  for (const one of running) one.stop();
  running = [];
}

/**
 * Reads `path` again and again; `show` is called with what it answers whenever that changed.
 * `pause(data)`: milliseconds until the next look, null for never again. A window that nobody
 * looks at asks nothing. `waiting`: an element that is busy until the first answer, which may be
 * that there is none. The answer's `look()` asks at once.
 */
export function live(path, show, pause, waiting = null) {
  const own = { stopped: false, timer: 0, last: null, asking: null, said: null };
  const again = (delay) => {
    clearTimeout(own.timer);
    if (!own.stopped && delay !== null) own.timer = setTimeout(() => (document.hidden ? again(1000) : own.look()), delay);
  };
  own.stop = () => { own.stopped = true; clearTimeout(own.timer); };
  own.look = () => (own.asking ??= own.once().finally(() => { own.asking = null; }));
  own.once = async () => {
    clearTimeout(own.timer);
    const began = performance.now();
    try {
      const text = await answer(typeof path === "function" ? path() : path);
      if (own.stopped) return;
      // Of several that look only the one that complained is content again; what an action was
      // told stays until the next one.
      if (own.said !== null && own.said === trouble().textContent) content();
      own.said = null;
      const data = JSON.parse(text);
      if (text !== own.last) {
        own.last = text;
        waiting?.removeAttribute("aria-busy");
        show(data);
      }
      // What takes the server long is asked for less often.
      const delay = pause(data);
      again(delay === null ? null : Math.max(delay, performance.now() - began));
    } catch (error) {
      if (own.stopped) return;
      if (!(error instanceof Failure)) throw error;
      own.said = complain(error);
      if (waiting?.hasAttribute("aria-busy")) {
        waiting.removeAttribute("aria-busy");
        waiting.replaceChildren(h("p", { class: "empty" }, "There is no answer; the reason stands above."));
      }
      if (error.status === 0 || error.status >= 500) again(3000);
    }
  };
  running.push(own);
  own.look();
  return own;
}
