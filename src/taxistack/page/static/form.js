// A form made from a flow's inputs. The engine itself checks what is sent.

import { complain, content, send } from "./calls.js";
import { h, rendered, speak } from "./dom.js";

const KINDS = { INT: "number", FLOAT: "number", DATE: "date", TIME: "time", URI: "url", EMAIL: "email", SECRET: "password", FILE: "file" };
const LONG = new Set(["JSON", "YAML", "ARRAY"]);
const EXAMPLES = { DATETIME: "2019-01-01T00:00:00Z", DURATION: "PT1H", ARRAY: "[…]", JSON: "[…] or {…}" };

/** The form; `started(id)` is called with the execution that it starts. */
export function form(flow, started) {
  const error = h("p", { class: "verdict bad", role: "alert", tabindex: "-1", hidden: true });
  const button = h("button", { class: "primary", type: "submit", disabled: flow.disabled }, "Execute");
  const made = h("form", { novalidate: true, "aria-labelledby": "execute" },
    error, flow.inputs.map(field),
    flow.inputs.length === 0 && h("p", { class: "soft" }, "This flow asks for nothing."),
    h("div", { class: "actions" }, button, flow.disabled && h("span", { class: "soft" }, "The flow is disabled.")));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    content();
    error.hidden = true;
    for (const one of made.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
    button.disabled = true;
    try {
      const { id } = await send(`/flows/${flow.namespace}/${flow.id}/execute`, filled(made, flow.inputs));
      speak(`execution ${id} started`);
      started(id);
    } catch (failure) {
      if (!failure.message) throw failure;
      error.textContent = failure.message;
      error.hidden = false;
      const wrong = failure.inputs?.map((name) => made.elements[name]).find((one) => one instanceof Element);
      wrong?.setAttribute("aria-invalid", "true");
      (wrong ?? error).focus();
    } finally {
      button.disabled = false;
    }
  });
  return made;
}

function field(input) {
  const id = `input-${input.id}`;
  const hint = input.description.length > 0 && h("div", { class: "soft hint", id: `${id}-hint` }, rendered(input.description));
  const name = [input.displayName || input.id, input.required && h("span", { class: "soft" }, " (required)")];
  const described = hint ? `${id}-hint` : null;
  const common = { id, name: input.id, "aria-describedby": described, "aria-required": input.required ? "true" : null };
  if (input.type === "BOOL" || input.type === "BOOLEAN") {
    return h("div", { class: "field" },
      h("label", { class: "check" }, h("input", { ...common, "aria-required": null, type: "checkbox", checked: input.defaults === true || input.defaults === "true" }), h("span", {}, name)), hint);
  }
  return h("div", { class: "field" }, h("label", { for: id }, name), control(input, common), hint);
}

function control(input, common) {
  const value = input.defaults === null || input.defaults === undefined ? "" : typeof input.defaults === "string" ? input.defaults : JSON.stringify(input.defaults);
  if (input.values.length && !input.custom) {
    const several = input.type === "MULTISELECT";
    const chosen = several && Array.isArray(input.defaults) ? input.defaults : [value];
    return h("select", { ...common, multiple: several },
      !several && !value && h("option", { value: "" }, "choose"),
      input.values.map((one) => h("option", { value: one, selected: chosen.includes(one) }, one)));
  }
  if (LONG.has(input.type)) return h("textarea", { ...common, rows: "5", spellcheck: "false", placeholder: EXAMPLES[input.type] }, value);
  return h("input", {
    ...common, type: KINDS[input.type] ?? "text", value: input.type === "FILE" ? null : value, min: input.min, max: input.max,
    step: input.type === "FLOAT" ? "any" : null, placeholder: EXAMPLES[input.type], autocomplete: "off",
  });
}

/** What was filled in; booleans and choices in the form that Kestra reads. */
function filled(made, inputs) {
  const data = new FormData();
  for (const input of inputs) {
    const one = made.elements[input.id];
    if (one.type === "checkbox") data.append(input.id, one.checked ? "true" : "false");
    else if (one.type === "file") { if (one.files[0]) data.append(input.id, one.files[0]); }
    else if (one.multiple) data.append(input.id, JSON.stringify([...one.selectedOptions].map((option) => option.value)));
    else data.append(input.id, one.value);
  }
  return data;
}
