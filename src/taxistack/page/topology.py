"""The diagram of a flow: its graph, as Kestra gives it, with a place for everything. Pure.

Kestra's graph has a cluster for each task that holds others (If, Switch, Loop, Sequential). Each
cluster is laid out for itself, in layers from top to bottom, and is then one box of the cluster
around it; so boxes never overlap. The nodes that only begin and end a cluster are left out, and
what led to them leads on to what they lead to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

LETTER, HEIGHT, LEAST = 8.4, 46.0, 112.0
"""Pixels: the width of a letter, the height and the least width of a node."""
ACROSS, DOWN, PAD = 22.0, 34.0, 14.0
"""Pixels between neighbours, between layers, and around what is in a box."""
_ENDS = ("GraphClusterRoot", "GraphClusterEnd")
_ROOT = ""
_LAST = 1000  # what runs after an error stands below everything else


@dataclass
class _Box:
    """A node or a cluster; `x` and `y` are those of its upper left corner."""

    uid: str
    width: float = LEAST
    height: float = HEIGHT
    x: float = 0.0
    y: float = 0.0
    inside: list[_Box] = field(default_factory=list)
    late: bool = False

    def move(self, right: float, down: float) -> None:
        self.x += right
        self.y += down
        for box in self.inside:
            box.move(right, down)

    def all(self) -> Iterable[_Box]:
        yield self
        for box in self.inside:
            yield from box.all()


@dataclass(frozen=True)
class _Edge:
    source: str
    target: str
    label: str


def diagram(graph: Mapping[str, Any]) -> dict[str, Any]:
    """`width`, `height`, `nodes`, `boxes` and `edges` in pixels; an edge is `from`, `to`, `label`.

    `graph`: the answer of Kestra's graph call.
    """
    nodes = {str(node["uid"]): node for node in graph.get("nodes") or ()}
    shown = {uid: node for uid, node in nodes.items() if not _is_end(node)}
    edges = _without_ends(graph.get("edges") or (), nodes)
    owner = _owners(graph.get("clusters") or ())
    boxes = {
        uid: _Box(uid, width=_width(node), late=_kind(node) == "error")
        for uid, node in shown.items()
    }
    root = _lay_out(_ROOT, boxes, owner, edges)
    root.move(-root.x, -root.y)
    every = [box for box in root.all() if box is not root]
    return {
        "width": root.width,
        "height": root.height,
        "nodes": [_shown(box, shown[box.uid]) for box in every if box.uid in shown],
        "boxes": [_place(box) for box in every if box.uid not in shown],
        "edges": [{"from": e.source, "to": e.target, "label": e.label} for e in edges],
    }


# --- reading the graph ----------------------------------------------------------------------------


def _is_end(node: Mapping[str, Any]) -> bool:
    return str(node.get("type", "")).rsplit(".", 1)[-1] in _ENDS


def _content(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return node.get("task") or node.get("triggerDeclaration") or {}


def _name(node: Mapping[str, Any]) -> str:
    return str(_content(node).get("id") or node["uid"])


def _kind(node: Mapping[str, Any]) -> str:
    if node.get("branchType") == "ERROR":
        return "error"
    return "trigger" if node.get("triggerDeclaration") else "task"


def _width(node: Mapping[str, Any]) -> float:
    words = max(len(_name(node)), len(_type(node)))
    return max(LEAST, words * LETTER + 2 * PAD)


def _type(node: Mapping[str, Any]) -> str:
    """`Commands (python)`: the class, and what it is of where the class alone says nothing."""
    *package, name = str(_content(node).get("type", "")).split(".")
    return f"{package[-1]}.{name}" if name == "Commands" and package else name


def _without_ends(
    edges: Iterable[Mapping[str, Any]], nodes: Mapping[str, Mapping[str, Any]]
) -> list[_Edge]:
    """The edges between what is shown. Nothing leads to what runs after an error."""
    following: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in edges:
        relation = edge.get("relation") or {}
        if relation.get("relationType") == "ERROR" and _is_end(nodes[edge["source"]]):
            continue
        label = str(relation.get("value") or "") if "CHOICE" in str(relation) else ""
        following[str(edge["source"])].append((str(edge["target"]), label))

    def beyond(uid: str, label: str, seen: frozenset[str]) -> Iterable[tuple[str, str]]:
        if uid in seen:
            return
        if not _is_end(nodes[uid]):
            yield uid, label
            return
        for target, own in following[uid]:
            yield from beyond(target, label or own, seen | {uid})

    kept = [
        _Edge(uid, target, label)
        for uid in nodes
        if not _is_end(nodes[uid])
        for first, said in following[uid]
        for target, label in beyond(first, said, frozenset())
    ]
    return list(dict.fromkeys(kept))


def _owners(clusters: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By node or cluster the innermost cluster that it stands in; the root for none."""
    owner: dict[str, str] = {}
    for cluster in sorted(clusters, key=lambda each: len(each.get("parents") or ())):
        uid = str(cluster["cluster"]["uid"])
        parents = [str(parent) for parent in cluster.get("parents") or ()]
        owner[uid] = parents[-1] if parents else _ROOT
        for node in cluster.get("nodes") or ():
            if str(node) != uid and not str(node).startswith("cluster_"):
                owner[str(node)] = uid
    return owner


# --- places ---------------------------------------------------------------------------------------


def _lay_out(
    uid: str, boxes: Mapping[str, _Box], owner: Mapping[str, str], edges: Iterable[_Edge]
) -> _Box:
    """The cluster with everything in it, its upper left corner at 0, 0."""
    inner = [
        inner_uid
        for inner_uid, around in owner.items()
        if around == uid and inner_uid.startswith("cluster_")
    ]
    own = [box for box_uid, box in boxes.items() if owner.get(box_uid, _ROOT) == uid]
    members = {box.uid: box for box in own}
    members |= {inner_uid: _lay_out(inner_uid, boxes, owner, edges) for inner_uid in inner}
    layers = _layers(members, edges, owner)
    around = _Box(uid, inside=[box for layer in layers for box in layer])
    widths = [sum(box.width for box in layer) + ACROSS * (len(layer) - 1) for layer in layers]
    around.width = max(widths, default=LEAST) + 2 * PAD
    y = PAD
    for layer, width in zip(layers, widths, strict=True):
        x = (around.width - width) / 2
        for member in layer:
            member.move(x - member.x, y - member.y)
            x += member.width + ACROSS
        y += max(box.height for box in layer) + DOWN
    around.height = y - DOWN + PAD if layers else HEIGHT
    return around


def _layers(
    members: Mapping[str, _Box], edges: Iterable[_Edge], owner: Mapping[str, str]
) -> list[list[_Box]]:
    """Everything below all that leads to it; what nothing leads to stands at the top."""

    def member(uid: str) -> str | None:
        while uid not in members:
            if uid not in owner:
                return None
            uid = owner[uid]
        return uid

    before: dict[str, set[str]] = {uid: set() for uid in members}
    for edge in edges:
        source, target = member(edge.source), member(edge.target)
        if source and target and source != target:
            before[target].add(source)
    depth: dict[str, int] = {}

    def deep(uid: str, seen: frozenset[str]) -> int:
        if uid not in depth:
            earlier = [
                deep(earlier_uid, seen | {uid})
                for earlier_uid in before[uid]
                if earlier_uid not in seen
            ]
            depth[uid] = 1 + max(earlier, default=-1)
        return depth[uid]

    layers: dict[int, list[_Box]] = defaultdict(list)
    for uid, box in members.items():
        layers[deep(uid, frozenset()) + (_LAST if box.late else 0)].append(box)
    said = [member(edge.target) for edge in edges]
    placed: dict[str, float] = {}
    for number in sorted(layers):
        # Below what leads there, and else in the order of the flow: lines seldom cross.
        layers[number].sort(key=lambda box: said.index(box.uid) if box.uid in said else -1)
        layers[number].sort(key=lambda box: _middle(before[box.uid], placed))
        for place, box in enumerate(layers[number]):
            placed[box.uid] = (place + 0.5) / len(layers[number])
    return [layers[number] for number in sorted(layers)]


def _middle(uids: Iterable[str], placed: Mapping[str, float]) -> float:
    known = [placed[uid] for uid in uids if uid in placed]
    return sum(known) / len(known) if known else 0.5


# --- what the page draws --------------------------------------------------------------------------


def _place(box: _Box) -> dict[str, Any]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}


def _shown(box: _Box, node: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uid": box.uid,
        "id": _name(node),
        "type": _type(node),
        "kind": _kind(node),
        **_place(box),
    }
