// One flow: what it says of itself, its diagram, its form, its triggers, its source.

import { get } from "./calls.js";
import { chips, h, rendered, scroller, table, when } from "./dom.js";
import { form } from "./form.js";
import { topology } from "./topology.js";

export async function flow(place, { parts: [namespace, id], go }) {
  const found = await get(`/flows/${encodeURIComponent(namespace)}/${encodeURIComponent(id)}`);
  place.append(
    h("p", { class: "crumbs" }, h("a", { href: "/" }, "Flows"), " / ", namespace),
    h("div", { class: "head" },
      h("h1", {}, id),
      h("span", { class: "soft" }, `revision ${found.revision}`),
      chips(found.labels),
      h("a", { class: "aside", href: `/executions?flow=${encodeURIComponent(`${namespace}/${id}`)}` }, "Its executions")),
    h("div", { class: "two" },
      h("div", {},
        found.description.length > 0 && h("section", { class: "card prose", "aria-label": "Description" }, rendered(found.description)),
        h("section", { class: "card", "aria-labelledby": "topology" },
          h("h2", { id: "topology" }, "Topology"),
          found.diagram && scroller("Diagram of the tasks", "topology", topology(found.diagram, id)),
          h("details", { class: "tasks" }, h("summary", {}, found.tasks.length === 1 ? "The task in words" : `The ${found.tasks.length} tasks as a list`), tasks(found.tasks)))),
      h("div", { class: "side" },
        h("section", { class: "card", "aria-labelledby": "execute" }, h("h2", { id: "execute" }, "Execute"), form(found, (execution) => go(`/executions/${execution}`))),
        h("section", { class: "card", "aria-labelledby": "triggers" }, h("h2", { id: "triggers" }, "Triggers"), triggers(found.triggers)))),
    h("section", { class: "card", "aria-labelledby": "source" },
      h("h2", { id: "source" }, "Source"),
      h("pre", { class: "source", tabindex: "0", role: "region", "aria-label": "Source" }, h("code", {}, found.source))));
}

function tasks(listed) {
  return table("Tasks", ["Task", "Type", "When", "What it does"], listed.map((one) => [
    h("span", { class: `depth-${Math.min(one.depth, 6)}` }, one.id),
    h("code", {}, one.type.split(".").slice(-2).join(".")),
    one.when || h("span", { class: "soft" }, "in turn"),
    h("div", {}, rendered(one.description)),
  ]));
}

function triggers(listed) {
  if (!listed.length) return h("p", { class: "soft" }, "None: it runs when somebody asks for it.");
  return [
    h("ul", { class: "plain" }, listed.map((one) => h("li", {},
      h("span", { class: "strong" }, one.id),
      h("div", { class: "soft" }, one.cron ? h("code", {}, one.cron) : one.type, one.disabled ? ", switched off" : [", next ", when(one.next, false)])))),
    h("p", {}, h("a", { href: "/triggers" }, "Switch and backfill triggers")),
  ];
}
