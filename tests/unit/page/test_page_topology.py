"""The diagram of a flow: everything has its place, nothing lies on anything else."""

from __future__ import annotations

from itertools import combinations

from taxistack.page.topology import diagram

# A flow with a trigger, an If with a Sequential in one branch, and a task for errors, in the form
# of Kestra 2.0.0's graph call.
TASKS = {
    "root.first": "first",
    "root.if": "if",
    "root.if.seq": "seq",
    "root.if.seq.inner": "inner",
    "root.if.other": "a_task_with_a_long_name",
    "root.after": "after",
}
EDGES = [
    ("root.Triggers.root", "root.Triggers.daily", {}),
    ("root.Triggers.daily", "root.Triggers.end", {}),
    ("root.Triggers.end", "root.root", {}),
    ("root.root", "root.first", {}),
    ("root.root", "root.failed", {"relationType": "ERROR"}),
    ("root.first", "root.if.root", {"relationType": "SEQUENTIAL"}),
    ("root.if.root", "root.if", {}),
    ("root.if", "root.if.seq.root", {"relationType": "CHOICE", "value": "then"}),
    ("root.if.seq.root", "root.if.seq", {}),
    ("root.if.seq", "root.if.seq.inner", {"relationType": "SEQUENTIAL"}),
    ("root.if.seq.inner", "root.if.seq.end", {}),
    ("root.if.seq.end", "root.if.end", {}),
    ("root.if", "root.if.other", {"relationType": "CHOICE", "value": "else"}),
    ("root.if.other", "root.if.end", {}),
    ("root.if.end", "root.after", {"relationType": "SEQUENTIAL"}),
    ("root.after", "root.end", {}),
    ("root.failed", "root.end", {}),
]
CLUSTERS = [
    ("cluster_root.Triggers", [], ["root.Triggers.root", "root.Triggers.end",
                                   "root.Triggers.daily"]),
    ("cluster_root.if", [], ["root.if.root", "root.if.end", "root.if", "cluster_root.if.seq",
                             "root.if.seq.root", "root.if.seq.end", "root.if.other"]),
    ("cluster_root.if.seq", ["cluster_root.if"], ["root.if.seq.root", "root.if.seq.end",
                                                  "root.if.seq", "root.if.seq.inner"]),
]  # fmt: skip
PLAIN = "io.kestra.core.models.hierarchies.Graph"


def graph():
    ends = {uid for edge in EDGES for uid in edge[:2] if uid.endswith((".root", ".end"))}
    return {
        "nodes": [
            *({"uid": uid, "type": f"{PLAIN}ClusterRoot"} for uid in ends),
            *(
                {
                    "uid": uid,
                    "type": f"{PLAIN}Task",
                    "task": {"id": name, "type": "io.kestra.plugin.scripts.python.Commands"},
                }
                for uid, name in TASKS.items()
            ),
            {
                "uid": "root.Triggers.daily",
                "type": f"{PLAIN}Trigger",
                "triggerDeclaration": {"id": "daily", "type": "x.Schedule"},
            },
            {
                "uid": "root.failed",
                "type": f"{PLAIN}Task",
                "branchType": "ERROR",
                "task": {"id": "failed", "type": "x.Log"},
            },
        ],
        "edges": [{"source": a, "target": b, "relation": how} for a, b, how in EDGES],
        "clusters": [
            {"cluster": {"uid": uid}, "parents": parents, "nodes": nodes}
            for uid, parents, nodes in CLUSTERS
        ],
    }


def _apart(a, b):
    return (
        a["x"] + a["width"] <= b["x"]
        or b["x"] + b["width"] <= a["x"]
        or a["y"] + a["height"] <= b["y"]
        or b["y"] + b["height"] <= a["y"]
    )


def _within(a, b):
    return (
        b["x"] <= a["x"]
        and b["y"] <= a["y"]
        and a["x"] + a["width"] <= b["x"] + b["width"]
        and a["y"] + a["height"] <= b["y"] + b["height"]
    )


def test_no_task_lies_on_another_and_all_are_on_the_paper():
    drawn = diagram(graph())
    assert len(drawn["nodes"]) == len(TASKS) + 2
    for a, b in combinations(drawn["nodes"], 2):
        assert _apart(a, b), (a["id"], b["id"])
    paper = {"x": 0, "y": 0, "width": drawn["width"], "height": drawn["height"]}
    for one in (*drawn["nodes"], *drawn["boxes"]):
        assert _within(one, paper)
        for box in drawn["boxes"]:
            assert _apart(one, box) or _within(one, box) or _within(box, one)


def test_lines_lead_from_task_to_task_with_the_case_that_they_are_for():
    drawn = diagram(graph())
    names = {one["uid"]: one["id"] for one in drawn["nodes"]}
    lines = {(names[one["from"]], names[one["to"]], one["label"]) for one in drawn["edges"]}
    assert lines == {
        ("daily", "first", ""),
        ("first", "if", ""),
        ("if", "seq", "then"),
        ("seq", "inner", ""),
        ("inner", "after", ""),
        ("if", "a_task_with_a_long_name", "else"),
        ("a_task_with_a_long_name", "after", ""),
    }


def test_a_line_goes_down_and_what_runs_on_errors_stands_last():
    drawn = diagram(graph())
    at = {one["uid"]: one for one in drawn["nodes"]}
    for line in drawn["edges"]:
        above, below = at[line["from"]], at[line["to"]]
        assert above["y"] + above["height"] <= below["y"]
    assert max(drawn["nodes"], key=lambda one: one["y"])["kind"] == "error"
    assert {one["kind"] for one in drawn["nodes"]} == {"task", "trigger", "error"}


def test_a_graph_of_nothing_is_a_diagram_of_nothing():
    assert diagram({})["nodes"] == []
