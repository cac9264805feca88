// Months: which are where, loading what is chosen, and the report's charts.

import { complain, content, live, post } from "./calls.js";
import { h, scroller, speak, swap } from "./dom.js";
import { report } from "./report.js";

const SIGNS = { loaded: "✓", missing: "○", failed: "✕", stale: "↻", loading: "…", "not published": "·" };
const LOADABLE = ["missing", "failed", "stale"];

export async function months(place, { about, query, go }) {
  const year = about.start.slice(0, 4);
  const asked = { start: query.get("start") ?? `${year}-01`, end: query.get("end") ?? `${year}-12`, taxi: query.get("taxi") ?? about.course.join(",") };
  const chosen = new Set();
  const key = h("ul", { class: "key" }, Object.entries(SIGNS).map(([state, sign]) => h("li", {}, h("span", { class: `mark ${slug(state)}`, "aria-hidden": "true" }, sign), state)));
  const said = h("div", { class: "outlook", "aria-live": "polite" });
  const grid = h("div", { "aria-busy": "true" }, h("p", { class: "empty" }, "Asking ledgers, executions and the source…"));
  const bar = h("div", { class: "chooser" });
  const loads = h("div", { class: "loads" });
  place.append(h("h1", {}, "Months"), range(asked, about, go),
    h("section", { class: "card", "aria-labelledby": "states" }, h("h2", { id: "states" }, "By state"), said, key, bar, grid, loads),
    report(asked, place));
  const load = async () => {
    content();
    try {
      const cells = [...chosen].map((one) => { const [taxi, month, destination] = one.split(" "); return { taxi, month, destination }; });
      await post("/loads", { cells });
      speak(`loading ${cells.length} months`);
      for (const one of chosen) pending.set(one, stateOf(one));
      chosen.clear();
      busy = true;
      if (latest) show(latest);
      await Promise.all([following.look(), looking.look()]);
    } catch (error) {
      complain(error);
    }
  };
  // Cells that are to be loaded and the state that they were in: until that changes they are
  // shown as loading, for the server first looks around before it begins.
  const pending = new Map();
  const stateOf = (name) => latest.rows.flatMap((row) => row.cells.map((cell, n) => [named(latest, row, n), cell])).find(([one]) => one === name)[1].state;
  let latest = null;
  let busy = false; // a load that was started here is under way
  const show = (found) => {
    latest = found;
    const data = { ...found, rows: found.rows.map((row) => ({ ...row, cells: row.cells.map((cell, n) => {
      const name = named(found, row, n);
      if (pending.get(name) === cell.state) return { ...cell, state: "loading", execution: null };
      pending.delete(name);
      return cell;
    }) })) };
    const loadable = data.rows.flatMap((row) => row.cells.map((cell, n) => [named(data, row, n), cell])).filter(([, cell]) => LOADABLE.includes(cell.state));
    for (const one of chosen) if (!loadable.some(([name]) => name === one)) chosen.delete(one);
    swap(said, h("p", {}, h("span", { class: "soft" }, `Months from ${data.source}: `), data.counts, "."), data.problems.map((one) => h("p", { class: "verdict bad" }, one)));
    swap(bar, chooser(loadable, chosen, () => show(latest), load));
    swap(grid, scroller("Months by taxi and destination", "grid", drawn(data, chosen, () => swap(bar, chooser(loadable, chosen, () => show(latest), load)))));
  };
  const looking = live(`/months?${new URLSearchParams(asked)}`, show, (data) => (busy || data.rows.some((row) => row.cells.some((cell) => cell.state === "loading")) ? 1000 : 15000), grid);
  const following = live("/loads", (found) => {
    const before = busy;
    busy = found.some((one) => one.summary === null);
    if (!busy) pending.clear();
    if (before && !busy) looking.look();
    swap(loads, found.map(told));
  }, () => (busy ? 1000 : 10000));
}

const slug = (state) => state.replace(" ", "-");
const named = (data, row, n) => `${data.columns[n].taxi} ${row.month} ${data.columns[n].destination}`;

function range(asked, about, go) {
  const month = (name, label) => h("label", {}, h("span", {}, label), h("input", { type: "month", name, value: asked[name], required: true, pattern: "\\d{4}-\\d{2}" }));
  const taxis = about.taxis.map((one) => h("label", { class: "check" }, h("input", { type: "checkbox", name: "taxi", value: one, checked: asked.taxi.split(",").includes(one) || asked.taxi === "all" }), h("span", {}, one)));
  const made = h("form", { class: "filters", "aria-label": "Which months" }, month("start", "First month"), month("end", "Last month"),
    h("div", { class: "group", role: "group", "aria-labelledby": "taxis" }, h("span", { id: "taxis" }, "Taxis"), h("div", {}, taxis)), h("button", {}, "Show"));
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(made);
    const taxi = data.getAll("taxi").join(",") || about.course.join(",");
    go(`/months?${new URLSearchParams({ start: data.get("start"), end: data.get("end"), taxi })}`);
  });
  return made;
}

function chooser(loadable, chosen, changed, load) {
  const pick = (label, states) => {
    const found = loadable.filter(([, cell]) => states.includes(cell.state)).map(([name]) => name);
    return found.length > 0 && h("button", { "data-key": `pick-${label}`, onclick: () => { for (const one of found) chosen.add(one); changed(); speak(`${chosen.size} chosen`); } }, `Choose ${found.length} ${label}`);
  };
  return [
    pick("missing", ["missing"]), pick("failed or stale", ["failed", "stale"]),
    chosen.size > 0 && h("button", { "data-key": "none", onclick: () => { chosen.clear(); changed(); } }, "Choose none"),
    h("button", { class: "primary", "data-key": "load", disabled: chosen.size === 0, onclick: load }, chosen.size ? `Load ${chosen.size} ${chosen.size === 1 ? "month" : "months"}` : "Load"),
  ];
}

function drawn(data, chosen, changed) {
  const taxis = [...new Set(data.columns.map((one) => one.taxi))];
  return h("table", { class: "months" },
    h("caption", { class: "spoken" }, "A row a month, a column a taxi and destination"),
    h("thead", {},
      h("tr", {}, h("td", {}), taxis.map((one) => h("th", { scope: "colgroup", colspan: String(data.columns.filter((column) => column.taxi === one).length) }, h("span", { class: `swatch ${one}` }), one))),
      h("tr", {}, h("th", { scope: "col" }, h("span", { class: "spoken" }, "Month")), data.columns.map((one) => h("th", { scope: "col" }, one.destination)))),
    h("tbody", {}, data.rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.month), row.cells.map((cell, n) => slot(cell, named(data, row, n), chosen, changed))))));
}

function slot(cell, name, chosen, changed) {
  const [taxi, month, destination] = name.split(" ");
  const word = h("span", { class: "word" }, cell.state);
  const sign = h("span", { "aria-hidden": "true" }, SIGNS[cell.state]);
  const why = [cell.reason, cell.rows === null ? null : `${cell.rows.toLocaleString("en")} rows`].filter(Boolean).join("; ");
  const box = LOADABLE.includes(cell.state) && h("input", {
    type: "checkbox", checked: chosen.has(name), "aria-label": `load ${taxi} ${month} into ${destination}, ${cell.state}`, "data-key": `pick ${name}`,
    onchange: (event) => { if (event.target.checked) chosen.add(name); else chosen.delete(name); changed(); },
  });
  const inside = cell.execution
    ? h("a", { href: `/executions/${cell.execution}`, "data-key": `see ${name}`, "aria-label": `${taxi} ${month} in ${destination}: ${cell.state}` }, sign, " ", word)
    : h("span", {}, sign, " ", word);
  return h("td", { title: why || null }, h("div", { class: `mark ${slug(cell.state)}` }, box, inside));
}

function told(one) {
  return h("div", { class: "load" },
    h("h3", {}, one.summary === null ? `Load ${one.number}: ${one.cells} chosen, under way` : `Load ${one.number}`),
    one.summary === null ? h("progress", { "aria-label": `Load ${one.number}` }) : h("p", { class: `verdict ${one.failed ? "bad" : "good"}`, role: "status" }, one.summary),
    h("details", { "data-key": `load-${one.number}` }, h("summary", {}, "What it says"), h("pre", { tabindex: "0" }, one.lines.join("\n"))));
}
