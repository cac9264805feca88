// The list of executions: filters, pages, kept up to date.

import { get, live } from "./calls.js";
import { badge, chips, h, lasted, seconds, speak, swap, table, when } from "./dom.js";

const STATES = [["", "any state"], ["running", "running"], ["success", "success"], ["warning", "warning"], ["failed", "failed"], ["killed", "killed"]];
const TIMES = [["", "any time"], ["1h", "the last hour"], ["1d", "the last day"], ["7d", "the last 7 days"], ["30d", "the last 30 days"]];

export async function executions(place, { query, go }) {
  const list = h("div", { class: "card flush", "aria-busy": "true" }, h("p", { class: "empty" }, "Loading…"));
  const pages = h("nav", { class: "pages", "aria-label": "Pages" });
  place.append(h("h1", {}, "Executions"), filters(query, go), list, pages);
  live(`/executions?${query}`, (data) => {
    swap(list, listed(data.executions));
    swap(pages, turning(data, query));
  }, (data) => (data.executions.some((one) => !one.ended) ? 1000 : 3000), list);
}

function filters(query, go) {
  const choose = (name, label, options) => h("label", {}, h("span", {}, label),
    h("select", { name }, options.map(([value, text]) => h("option", { value, selected: (query.get(name) ?? "") === value }, text))));
  const flow = h("select", { name: "flow" }, h("option", { value: "" }, "any flow"),
    query.get("flow") && h("option", { value: query.get("flow"), selected: true }, query.get("flow").split("/").pop()));
  const made = h("form", { class: "filters", role: "search", "aria-label": "Executions by" },
    choose("state", "State", STATES),
    h("label", {}, h("span", {}, "Flow"), flow),
    choose("since", "Started in", TIMES),
    h("label", { class: "wide" }, h("span", {}, "Label"), h("input", { name: "label", type: "search", value: query.get("label") ?? "", placeholder: "month:2019-01", autocomplete: "off" })),
    h("button", { type: "submit" }, "Filter"));
  const apply = () => {
    const wanted = new URLSearchParams([...new FormData(made)].filter(([, value]) => value));
    speak("filtering");
    go(`/executions${wanted.size ? `?${wanted}` : ""}`);
  };
  made.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
  for (const one of made.querySelectorAll("select")) one.addEventListener("change", apply);
  get("/flows").then((found) => flow.append(...found
    .map((one) => `${one.namespace}/${one.id}`).filter((one) => one !== query.get("flow"))
    .map((one) => h("option", { value: one }, one.split("/")[1]))));
  return made;
}

export function listed(found) {
  return table("Executions, newest first", ["Execution", "State", "Flow", "Labels", "Started", "Duration"], found.map((one) => [
    h("a", { href: `/executions/${one.id}`, "data-key": one.id, class: "mono" }, one.id.slice(0, 8), h("span", { class: "spoken" }, one.id.slice(8))),
    badge(one.state),
    h("a", { href: `/flows/${one.namespace}/${one.flow}` }, one.flow),
    chips(one.labels, { short: true }),
    when(one.start),
    h("span", { class: "n" }, lasted(seconds(one.start, one.end))),
  ]), { empty: "No execution is like that." });
}

function turning(data, query) {
  const last = Math.max(1, Math.ceil(data.total / data.size));
  const to = (page) => {
    const wanted = new URLSearchParams(query);
    wanted.set("page", page);
    return `/executions?${wanted}`;
  };
  const first = (data.page - 1) * data.size + 1;
  return [
    data.page > 1 && h("a", { href: to(data.page - 1), rel: "prev", "data-key": "prev" }, "← Newer"),
    h("span", { class: "soft" }, data.total ? `${first.toLocaleString("en")}–${Math.min(data.total, first + data.size - 1).toLocaleString("en")} of ${data.total.toLocaleString("en")}` : ""),
    data.page < last && h("a", { href: to(data.page + 1), rel: "next", "data-key": "next" }, "Older →"),
  ];
}
