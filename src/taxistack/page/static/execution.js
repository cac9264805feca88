// One execution, kept up to date: state, Gantt, log, inputs, outputs, files, subflows, actions.

import { complain, content, live, post } from "./calls.js";
import { asked, badge, chips, h, lasted, seconds, speak, swap, when } from "./dom.js";
import { listed } from "./executions.js";
import { gantt } from "./gantt.js";
import { log } from "./log.js";

export async function execution(place, { parts: [id], go }) {
  const head = h("div", { class: "head" }, h("h1", {}, "Execution ", h("span", { class: "mono" }, id)));
  const state = h("p", { class: "status", "aria-live": "polite", "aria-atomic": "true" });
  const actions = h("div", { class: "actions" });
  const parts = { gantt: section("Gantt"), logs: section("Logs"), inputs: section("Inputs"), outputs: section("Outputs"), files: section("Files"), subflows: section("Subflows") };
  const crumbs = h("p", { class: "crumbs" }, h("a", { href: "/executions" }, "Executions"));
  place.append(crumbs, head, state, actions, parts.gantt.card, parts.logs.card, parts.subflows.card,
    h("div", { class: "halves" }, parts.inputs.card, parts.outputs.card), parts.files.card);
  const lines = log(parts.logs.body, id);
  let ended = 0;
  let shown = null;
  const looking = live(`/executions/${id}`, (data) => {
    swap(crumbs, h("a", { href: "/executions" }, "Executions"), " / ", h("a", { href: `/flows/${data.namespace}/${data.flow}` }, `${data.namespace}.${data.flow}`),
      data.root && [" / part of ", h("a", { href: `/executions/${data.root}`, class: "mono" }, data.root.slice(0, 8))]);
    if (shown !== data.state) swap(state, badge(data.state), h("span", { class: "soft" }, data.ended ? ` after ${lasted(seconds(data.start, data.end))}` : " since ", data.ended ? null : when(data.start)), chips(data.labels));
    shown = data.state;
    swap(actions, buttons(data, go, page));
    swap(parts.gantt.body, gantt(data));
    fill(parts.inputs, pairs(data.inputs), "It was given none.");
    fill(parts.outputs, outputs(data), data.ended ? "It left none." : "None yet.");
    fill(parts.files, files(data), null);
    fill(parts.subflows, data.subflows.length ? listed(data.subflows) : null, null);
    lines.ended(data);
  }, (data) => {
    // The last looks come after the end: children and outputs are filed a moment later.
    ended = data.ended && data.subflows.every((one) => one.ended) ? ended + 1 : 0;
    return ended > 2 ? null : 1000;
  });
  const page = { again() { ended = 0; looking.look(); lines.again(); } };
}

function section(title) {
  const key = title.toLowerCase();
  const body = h("div", {});
  return { body, card: h("section", { class: "card", "aria-labelledby": key }, h("h2", { id: key }, title), body) };
}

function fill({ card, body }, content, otherwise) {
  card.hidden = !content && otherwise === null;
  swap(body, content || h("p", { class: "soft" }, otherwise));
}

function buttons(data, go, page) {
  const act = async (action, question) => {
    content();
    if (question && !(await asked(question, action[0].toUpperCase() + action.slice(1)))) return;
    try {
      const { id } = await post(`/executions/${data.id}/${action}`);
      speak(`${action} was asked for`);
      if (id === data.id) page.again();
      else go(`/executions/${id}`);
    } catch (error) {
      complain(error);
    }
  };
  return [
    !data.ended && h("button", { class: "danger", "data-key": "kill", onclick: () => act("kill", "End this execution and what it started? A load is all or nothing: no month is left half done.") }, "Kill"),
    data.restartable && h("button", { "data-key": "restart", title: "Go on at the task that failed", onclick: () => act("restart") }, "Restart"),
    data.ended && h("button", { "data-key": "replay", title: "The same again, as a new execution", onclick: () => act("replay") }, "Replay"),
  ];
}

function text(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}

function pairs(values) {
  const names = Object.keys(values);
  if (!names.length) return null;
  return h("dl", { class: "pairs" }, names.map((name) => h("div", {}, h("dt", {}, name), h("dd", {}, value(values[name])))));
}

function value(one) {
  if (one === null || one === "") return h("span", { class: "soft" }, one === null ? "not given" : "empty");
  if (one.type === "io.kestra.datatype:aes_encrypted") return h("span", { class: "soft" }, "a secret, encrypted");
  const said = text(one);
  return said.length > 90 || said.includes("\n") ? h("pre", { tabindex: "0" }, said) : h("code", {}, said);
}

function outputs(data) {
  const names = Object.keys(data.task_outputs);
  if (!names.length && !Object.keys(data.outputs).length) return null;
  return [
    pairs(data.outputs),
    names.length > 0 && h("details", { "data-key": "task-outputs" }, h("summary", {}, names.length === 1 ? "Outputs of its task" : `Outputs of its ${names.length} tasks`),
      names.map((name) => [h("h3", {}, name), pairs(data.task_outputs[name])])),
  ];
}

function files(data) {
  if (!data.files.length) return null;
  return h("ul", { class: "plain" }, data.files.map((one) => h("li", {},
    h("a", { href: `/api/executions/${data.id}/file?path=${encodeURIComponent(one)}`, download: "" }, one.split("/").pop()))));
}
