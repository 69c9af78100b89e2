"""What lies inside the engine stays inside: the rooms above go by its public surface."""

import ast
from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn.engine import autograd, graph, protocol

PACKAGE = Path(tg.__file__).parent
INSIDE = {"_node", "_data", "_index", "_leaf", "_leaf_of", "_edges", "_from_edge", "_like"}


def test_no_room_above_the_engine_reaches_into_it():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0]
        if room in ("engine", "backends"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in INSIDE:
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {node.attr}")
    assert not found


def names_of(kind):
    return {name for name in vars(kind) if not name.startswith("_")}


def test_the_engine_has_all_that_the_protocol_asks_for():
    x = (tg.ones(2, requires_grad=True) * 2.0).named("x", role="gate")
    vertex, index = x.edge
    assert index == 0
    assert all(hasattr(x, name) for name in names_of(protocol.Value))
    assert all(hasattr(vertex, name) for name in names_of(protocol.Vertex))
    assert all(callable(getattr(autograd, name)) for name in names_of(protocol.Engine))
    assert all(callable(getattr(x.engine.gather(), name)) for name in names_of(protocol.Sums))
    assert isinstance(vertex, graph.Node)
    assert (vertex.op_name, vertex.names, vertex.roles) == ("mul", {0: "x"}, {0: "gate"})


def test_sums_so_far_can_be_looked_at_while_more_arrives():
    x = tg.zeros(2, 2, dtype="float64")
    sums = autograd.gather()
    assert sums.so_far(x.edge) is None
    ones = tg.ones(2, 2, dtype="float64")
    sums.add(x.edge, ones)
    assert sums.so_far(x.edge).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    sums.add(x.edge, graph.Slice((0,), tg.tensor([2.0, 3.0], dtype="float64")))
    sums.add(x.edge, ones)
    assert sums.so_far(x.edge).tolist() == [[4.0, 5.0], [2.0, 2.0]]
    assert ones.tolist() == [[1.0, 1.0], [1.0, 1.0]], "a message is never written into"
