// The log of an execution as it grows.

import { live } from "./calls.js";
import { h } from "./dom.js";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/** Shows the log in `body` from now on; `ended(execution)` tells it that no more comes. */
export function log(body, id) {
  const list = h("ol", { class: "log", role: "log", tabindex: "0", "aria-label": "Log lines" });
  const reason = h("p", { class: "verdict bad", hidden: true });
  const left = h("p", { class: "soft", hidden: true });
  const level = h("select", { name: "level" }, LEVELS.map((one) => h("option", { selected: one === "INFO" }, one)));
  const none = h("p", { class: "soft" }, "No line yet.");
  body.append(
    h("div", { class: "tools" }, h("label", {}, h("span", {}, "From level "), level),
      h("a", { href: `/api/executions/${id}/log.txt`, download: "" }, "Download")),
    reason, left, none, list);
  let told = [];
  let over = null;
  let looks = 0;
  const show = (data) => {
    const keys = data.lines.map((one) => JSON.stringify(one));
    const grown = told.every((one, n) => one === keys[n]);
    const low = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    if (!grown) list.replaceChildren();
    list.append(...data.lines.slice(grown ? told.length : 0).map(line));
    if (low) list.scrollTop = list.scrollHeight;
    told = keys;
    none.hidden = list.hidden = keys.length > 0;
    list.hidden = keys.length === 0;
    left.hidden = !data.left_out;
    left.textContent = `${data.left_out} earlier lines are in the download.`;
    last = data.reason;
    explain();
  };
  let last = null;
  const explain = () => {
    reason.hidden = !(over === "FAILED" && last);
    reason.textContent = last ?? "";
  };
  const reading = live(() => `/executions/${id}/log?level=${level.value}`, show, () => {
    // Lines are filed a moment after they are written.
    if (over) looks += 1;
    return looks > 4 ? null : 1000;
  });
  level.addEventListener("change", () => reading.look());
  return {
    again() {
      looks = 0;
      reading.look();
    },
    ended(data) {
      over = data.ended ? data.state : null;
      explain();
    },
  };
}

function line([at, level, task, message]) {
  return h("li", { class: level.toLowerCase() },
    h("time", { datetime: at }, at ? at.slice(11, 19) : ""), " ",
    h("span", { class: "level" }, level), " ",
    h("span", { class: "task" }, task ?? ""), " ",
    h("span", { class: "message" }, message));
}
