// When each task ran: bars for the eye, and the same as a table for everybody.

import { badge, h, lasted, seconds } from "./dom.js";

export function gantt(data) {
  if (!data.tasks.length) return h("p", { class: "soft" }, data.ended ? "No task ran." : "No task has begun yet.");
  const start = Date.parse(data.start);
  const ends = data.tasks.map((one) => Date.parse(one.end ?? new Date().toISOString()));
  const whole = Math.max(1, ...ends.map((one) => one - start));
  const depth = depths(data.tasks);
  return h("table", { class: "gantt" },
    h("caption", { class: "spoken" }, "Task runs with their times"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Task"), h("th", { scope: "col", class: "state" }, "State"), h("th", { scope: "col", class: "n" }, "Time"), h("td", { class: "track", "aria-hidden": "true" }))),
    h("tbody", {}, data.tasks.map((one, n) => {
      const bar = h("span", { class: `bar ${kind(one.state)}` });
      // Through the style object: the page's policy allows no style in markup.
      bar.style.setProperty("margin-left", `${(100 * (Date.parse(one.start) - start)) / whole}%`);
      bar.style.setProperty("width", `${Math.max(0.4, (100 * (ends[n] - Date.parse(one.start))) / whole)}%`);
      return h("tr", {},
        h("th", { scope: "row", class: `depth-${Math.min(depth.get(one.id), 6)}` }, one.task, one.value && h("span", { class: "soft" }, ` ${one.value}`), one.attempts > 1 && h("span", { class: "soft" }, ` ×${one.attempts}`)),
        h("td", { class: "state" }, badge(one.state)),
        h("td", { class: "n" }, lasted(seconds(one.start, one.end))),
        h("td", { class: "track", "aria-hidden": "true" }, bar));
    })));
}

function kind(state) {
  return { SUCCESS: "good", FAILED: "bad", WARNING: "warn", RUNNING: "live", KILLED: "dull", SKIPPED: "dull" }[state] ?? "wait";
}

function depths(tasks) {
  const parents = new Map(tasks.map((one) => [one.id, one.parent]));
  const depth = (id) => (parents.get(id) ? 1 + depth(parents.get(id)) : 0);
  return new Map(tasks.map((one) => [one.id, depth(one.id)]));
}
