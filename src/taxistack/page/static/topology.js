// The diagram of a flow, drawn from the places that the server worked out.

import { s } from "./dom.js";

export function topology(diagram, name) {
  const at = new Map(diagram.nodes.map((one) => [one.uid, one]));
  const drawing = s("svg", {
    class: "topology", viewBox: `0 0 ${diagram.width} ${diagram.height}`, width: diagram.width, height: diagram.height,
    role: "img", "aria-label": `Diagram of the tasks of ${name}; the list below it has them all`,
  },
    s("defs", {}, s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: "7", refY: "4", markerWidth: "7", markerHeight: "7", orient: "auto" },
      s("path", { d: "M0 0 8 4 0 8z", class: "arrow" }))),
    diagram.boxes.map((one) => s("rect", { class: "box", x: one.x, y: one.y, width: one.width, height: one.height, rx: "12" })),
    diagram.edges.map((one) => edge(at.get(one.from), at.get(one.to), one.label)),
    diagram.nodes.map(node));
  return drawing;
}

function node(one) {
  return s("g", { class: `node ${one.kind}` },
    s("rect", { x: one.x, y: one.y, width: one.width, height: one.height, rx: one.kind === "trigger" ? "23" : "8" }),
    s("text", { x: one.x + one.width / 2, y: one.y + 20, "text-anchor": "middle", class: "name" }, one.id),
    s("text", { x: one.x + one.width / 2, y: one.y + 36, "text-anchor": "middle", class: "type" }, one.type));
}

function edge(from, to, label) {
  const x1 = from.x + from.width / 2, y1 = from.y + from.height, x2 = to.x + to.width / 2, y2 = to.y - 1;
  const bend = Math.max(16, (y2 - y1) / 2);
  return s("g", { class: "edge" },
    s("path", { d: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`, "marker-end": "url(#arrow)" }),
    label && s("text", { x: (x1 + 3 * x2) / 4, y: y2 - 12, "text-anchor": "middle", class: "case" }, label));
}
