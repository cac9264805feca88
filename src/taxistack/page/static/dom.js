// Elements from data. A text becomes a text node, never markup; there is no other way here.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `attributes`: `on…` are listeners, false and null are left out. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for drawings. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "href" && !/^(https?:|\/|#)/.test(value)) continue;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** What the server made of a Markdown text: texts, and `[tag, {attributes}, …children]`. */
export function rendered(elements) {
  return elements.map((one) =>
    typeof one === "string" ? one : h(one[0], one[1].href ? { ...one[1], rel: "noreferrer" } : {}, rendered(one.slice(2))));
}

const REACHED = "a[href], button, summary, input, select, textarea, [tabindex]";
/** What tells a thing that the keyboard reaches from the others around it. */
const mark = (one) => one.dataset.key ?? `${one.tagName} ${one.getAttribute("href") ?? one.ariaLabel ?? one.textContent}`;
const alike = (element, one) => [...element.querySelectorAll(REACHED)].filter((other) => mark(other) === mark(one));

/** Gives the focus to what `was` has become in `element`; where that is gone, to what was around it. */
function refocus(element, was, place, around) {
  const same = alike(element, was);
  same[Math.min(place, same.length - 1)]?.focus({ preventScroll: true });
  if (element.contains(document.activeElement) && document.activeElement !== element) return;
  const near = [...element.querySelectorAll("[aria-label]")].find((one) => one.ariaLabel === around) ?? element;
  if (!near.hasAttribute("tabindex")) near.tabIndex = -1;
  near.focus({ preventScroll: true });
}

/** Put `children` into `element`; what has the focus or is unfolded there stays so. */
export function swap(element, ...children) {
  const was = element !== document.activeElement && element.contains(document.activeElement) ? document.activeElement : null;
  const place = was && alike(element, was).indexOf(was);
  const around = was && was.parentElement.closest("[aria-label]")?.ariaLabel;
  const open = new Map([...element.querySelectorAll("details[data-key]")].map((one) => [one.dataset.key, one.open]));
  const left = new Map([...element.querySelectorAll(".scroll[data-key]")].map((one) => [one.dataset.key, one.scrollLeft]));
  element.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  for (const one of element.querySelectorAll("details[data-key]")) if (open.has(one.dataset.key)) one.open = open.get(one.dataset.key);
  for (const one of element.querySelectorAll(".scroll[data-key]")) one.scrollLeft = left.get(one.dataset.key) ?? 0;
  if (was) refocus(element, was, place, around);
}

/** A wide thing that scrolls in itself; its edges show that there is more. */
export function scroller(label, key, ...children) {
  const box = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label, "data-key": key }, ...children);
  const edges = () => {
    box.classList.toggle("more-left", box.scrollLeft > 2);
    box.classList.toggle("more-right", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  };
  box.addEventListener("scroll", edges, { passive: true });
  new ResizeObserver(edges).observe(box);
  return box;
}

const SIGNS = { SUCCESS: "✓", WARNING: "!", FAILED: "✕", KILLED: "■", CANCELLED: "■", KILLING: "■", RUNNING: "▶", QUEUED: "…", PAUSED: "‖" };

/** A state with its sign, its word and its colour: the colour alone says nothing. */
export function badge(state) {
  const kind = { SUCCESS: "good", WARNING: "warn", FAILED: "bad", KILLED: "dull", CANCELLED: "dull", KILLING: "dull", RUNNING: "live", SKIPPED: "dull" };
  return h("span", { class: `badge ${kind[state] ?? "wait"}` }, h("span", { "aria-hidden": "true" }, SIGNS[state] ?? "…"), " ", state);
}

const PLAIN = new Set(["taxi", "month", "destination"]);

/** Labels; `short`: those that everybody knows by their value go without their name. */
export function chips(labels, { short = false } = {}) {
  const order = ["taxi", "month", "destination", "backfill"];
  const names = Object.keys(labels).sort((a, b) => (order.indexOf(a) + 99) % 99 - (order.indexOf(b) + 99) % 99 || a.localeCompare(b));
  return h("span", { class: "chips" }, names.map((name) => h("span", { class: "chip" }, h("span", { class: short && PLAIN.has(name) ? "spoken" : "soft" }, `${name} `), labels[name])));
}

/** A moment as `2026-11-27 03:05:12`, UTC, as everything here. */
export function when(iso, seconds = true) {
  if (!iso) return h("span", { class: "soft" }, "–");
  const text = new Date(iso).toISOString();
  return h("time", { datetime: text }, `${text.slice(0, 10)} ${text.slice(11, seconds ? 19 : 16)}`);
}

export function seconds(start, end) {
  return start ? Math.max(0, (end ? new Date(end) : new Date()) - new Date(start)) / 1000 : 0;
}

export function lasted(time) {
  if (time < 10) return `${time.toFixed(1)} s`;
  const whole = Math.round(time);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A table that becomes a list of cards in a narrow window. Cells: `[…]` by column. */
export function table(caption, columns, rows, { key, empty = "none" } = {}) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  return h("table", { class: "list", "data-key": key },
    h("caption", { class: "spoken" }, caption),
    h("thead", {}, h("tr", {}, columns.map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, n) =>
      h(n ? "td" : "th", { scope: n ? null : "row", "data-column": columns[n] }, cell))))));
}

/** Tell who listens to the page, without a change of what is seen. */
export function speak(text) {
  document.getElementById("spoken").textContent = text;
}

/** A question in a dialog; resolves to whether it was answered with yes. */
export function asked(question, yes) {
  const opener = document.activeElement;
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "question" },
      h("form", { method: "dialog" },
        h("p", { id: "question" }, question),
        h("div", { class: "actions" },
          h("button", { value: "no", autofocus: true }, "Cancel"),
          h("button", { value: "yes", class: "danger" }, yes))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      // The browser gives the focus back, but to an element that may have been made anew.
      if (!opener.isConnected) alike(document, opener)[0]?.focus();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
