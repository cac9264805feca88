// The list of flows.

import { get } from "./calls.js";
import { h, rendered, table, when } from "./dom.js";

export async function flows(place) {
  place.append(h("h1", {}, "Flows"));
  const found = await get("/flows");
  const several = new Set(found.map((one) => one.namespace)).size > 1;
  place.append(h("div", { class: "card flush" }, table("Flows", ["Flow", "What it does", "Inputs", "Next run"], found.map((one) => [
    h("a", { href: `/flows/${one.namespace}/${one.id}`, class: "strong id" }, several && `${one.namespace}.`, one.id),
    h("div", { class: "summary" }, rendered(one.summary), one.disabled && h("p", { class: "soft" }, "disabled")),
    one.inputs ? String(one.inputs) : h("span", { class: "soft" }, "–"),
    one.next ? when(one.next, false) : h("span", { class: "soft" }, "by hand"),
  ]), { empty: "No flow is deployed yet: invoke deploy-flows." })));
}
