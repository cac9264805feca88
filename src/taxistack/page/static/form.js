// A form made from a flow's inputs. The engine itself checks what is sent.

import { complain, content, send } from "./calls.js";
import { h, rendered, speak } from "./dom.js";

const KINDS = { INT: "number", FLOAT: "number", DATE: "date", TIME: "time", URI: "url", EMAIL: "email", SECRET: "password", FILE: "file" };
const LONG = new Set(["JSON", "YAML", "ARRAY"]);
const EXAMPLES = { DATETIME: "2019-01-01T00:00:00Z", DURATION: "PT1H", ARRAY: "[…]", JSON: "[…] or {…}" };

/** The form; `started(id)` is called with the execution that it starts. */
export function form(flow, started) {
  const error = h("p", { class: "verdict bad", role: "alert", tabindex: "-1", hidden: true });
  // By id, and without a name in the form: an input may be called `elements` or `submit`.
  const controls = new Map(flow.inputs.map((input) => [input.id, control(input)]));
  const button = h("button", { class: "primary", type: "submit", disabled: flow.disabled }, "Execute");
  const made = h("form", { novalidate: true, "aria-labelledby": "execute" },
    error, flow.inputs.map((input) => field(input, controls.get(input.id))),
    flow.inputs.length === 0 && h("p", { class: "soft" }, "This flow asks for nothing."),
    h("div", { class: "actions" }, button, flow.disabled && h("span", { class: "soft" }, "The flow is disabled.")));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    content();
    error.hidden = true;
    for (const one of controls.values()) one.removeAttribute("aria-invalid");
    button.disabled = true;
    try {
      const { id } = await send(`/flows/${flow.namespace}/${flow.id}/execute`, filled(controls));
      speak(`execution ${id} started`);
      started(id);
    } catch (failure) {
      if (!failure.message) throw failure;
      error.textContent = failure.message;
      error.hidden = false;
      const wrong = failure.inputs?.map((name) => controls.get(name)).find((one) => one);
      wrong?.setAttribute("aria-invalid", "true");
      (wrong ?? error).focus();
    } finally {
      button.disabled = false;
    }
  });
  return made;
}

function field(input, control) {
  const hint = input.description.length > 0 && h("div", { class: "soft hint", id: `${control.id}-hint` }, rendered(input.description));
  const name = [input.displayName || input.id, input.required && h("span", { class: "soft" }, " (required)")];
  if (hint) control.setAttribute("aria-describedby", hint.id);
  if (control.type === "checkbox") return h("div", { class: "field" }, h("label", { class: "check" }, control, h("span", {}, name)), hint);
  const offered = input.custom && h("datalist", { id: `${control.id}-offered` }, input.values.map((one) => h("option", { value: one })));
  return h("div", { class: "field" }, h("label", { for: control.id }, name), control, offered, hint);
}

function control(input) {
  const value = input.defaults === null || input.defaults === undefined ? "" : typeof input.defaults === "string" ? input.defaults : JSON.stringify(input.defaults);
  const id = `input-${input.id}`;
  const common = { id, "aria-required": input.required ? "true" : null };
  if (input.type === "BOOL") {
    // Unchecked is false; what need not be given has a third answer, that it was not.
    if (input.required || value) return h("input", { id, type: "checkbox", checked: value === "true" });
    return h("select", common, h("option", { value: "" }, "not given"), ["true", "false"].map((one) => h("option", { value: one }, one)));
  }
  if (input.values.length && !input.custom) {
    const several = input.type === "MULTISELECT";
    const chosen = several && value ? JSON.parse(value) : [value]; // the engine hands a list out as JSON
    return h("select", { ...common, multiple: several },
      !several && !value && h("option", { value: "" }, input.required ? "choose" : "not given"),
      input.values.map((one) => h("option", { value: one, selected: chosen.includes(one) }, one)));
  }
  if (LONG.has(input.type)) return h("textarea", { ...common, rows: "5", spellcheck: "false", placeholder: EXAMPLES[input.type] }, value);
  return h("input", {
    ...common, type: KINDS[input.type] ?? "text", value: input.type === "FILE" ? null : value, min: input.min, max: input.max,
    step: input.type === "FLOAT" ? "any" : null, placeholder: EXAMPLES[input.type], autocomplete: "off", list: input.custom ? `${id}-offered` : null,
  });
}

/** What was filled in; booleans and choices in the form that Kestra reads. */
function filled(controls) {
  const data = new FormData();
  for (const [id, one] of controls) {
    if (one.type === "checkbox") data.append(id, one.checked ? "true" : "false");
    else if (one.type === "file") { if (one.files[0]) data.append(id, one.files[0]); }
    else if (one.multiple) {
      const chosen = [...one.selectedOptions].map((option) => option.value);
      // None of those that are chosen by default is an answer; else none was given.
      data.append(id, chosen.length || one.querySelector("[selected]") ? JSON.stringify(chosen) : "");
    }
    else data.append(id, one.value);
  }
  return data;
}
