// The report's verdict and charts.

import { complain, content, live, post } from "./calls.js";
import { h, speak, swap, when } from "./dom.js";

export function report(asked) {
  const body = h("div", {});
  const button = h("button", { "data-key": "prove" }, "Prove and draw");
  let busy = false;
  button.addEventListener("click", async () => {
    content();
    try {
      await post("/report", asked);
      speak("the months are being compared");
      await reading.look();
    } catch (error) {
      complain(error);
    }
  });
  const reading = live("/report", (data) => {
    if (busy && !data.busy) speak("the report is drawn");
    busy = data.busy;
    button.disabled = busy;
    button.textContent = busy ? "Comparing…" : "Prove and draw";
    swap(body, data.error && h("p", { class: "verdict bad" }, data.error.error), data.about && drawn(data.about));
  }, (data) => (data.busy ? 1000 : 20000));
  return h("section", { class: "card", "aria-labelledby": "report" },
    h("div", { class: "head" }, h("h2", { id: "report" }, "Report"), button),
    h("p", { class: "soft" }, "Compares source, lake, ledger and tables of these months, as ", h("code", {}, "invoke verify --report"), " does, and draws them."),
    body);
}

function drawn(about) {
  return [
    h("p", { class: `verdict ${about.good ? "good" : "bad"}` }, about.verdict),
    h("p", { class: "soft" }, `${about.start} to ${about.end}, read `, when(about.at), ". ", h("a", { href: "/report", target: "_blank", rel: "noreferrer" }, "The whole report")),
    h("div", { class: "charts" }, about.charts.map((one) => h("figure", {},
      h("figcaption", {}, one.title),
      h("picture", {},
        h("source", { media: "(max-width: 700px)", srcset: `/charts/${one.name}-narrow.svg` }),
        h("img", { src: `/charts/${one.name}-wide.svg`, alt: one.words, loading: "lazy" }))))),
  ];
}
