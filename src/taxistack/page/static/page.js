// The screens and their addresses.

import { complain, content, get, still } from "./calls.js";
import { h } from "./dom.js";
import { execution } from "./execution.js";
import { executions } from "./executions.js";
import { flow } from "./flow.js";
import { flows } from "./flows.js";
import { months } from "./months.js";
import { triggers } from "./triggers.js";

const SCREENS = [
  [/^\/$/, "flows", flows],
  [/^\/flows\/([^/]+)\/([^/]+)$/, "flows", flow],
  [/^\/executions$/, "executions", executions],
  [/^\/executions\/([^/]+)$/, "executions", execution],
  [/^\/triggers$/, "triggers", triggers],
  [/^\/months$/, "months", months],
];

const main = document.getElementById("main");
let about = null;

async function show(first) {
  still();
  content();
  const found = SCREENS.map(([path, name, screen]) => [location.pathname.match(path), name, screen]).find(([match]) => match);
  for (const link of document.querySelectorAll("[data-screen]")) {
    if (found && link.dataset.screen === found[1]) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const place = h("div", { class: "screen" });
  main.replaceChildren(place);
  try {
    about ??= await get("/about");
    document.getElementById("stack").textContent = `${about.name} · ${about.target} · Kestra ${about.kestra}`;
    if (found) await found[2](place, { about, parts: found[0].slice(1).map(decodeURIComponent), go, query: new URLSearchParams(location.search) });
    else place.append(h("h1", {}, "There is no such screen"));
  } catch (error) {
    complain(error);
  }
  const heading = place.querySelector("h1");
  document.title = `${heading?.textContent ?? "taxistack"} – taxistack`;
  if (!first && heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

/** Go to an address of the page; `replace`: the present one is not kept. */
export function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  return show(false);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/']");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.target || link.hasAttribute("download")) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
addEventListener("popstate", () => show(false));
show(true);
