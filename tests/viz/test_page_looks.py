"""How the page looks: legend, themes, hues, and letters where there is little room."""

from __future__ import annotations

import colorsys
import itertools
import re
from types import SimpleNamespace

import pytest

from tests.viz import networks
from tests.viz.stepper import data_of, measured
from tinygrad_rnn.viz.page import page
from tinygrad_rnn.viz.shapes import WHOLE
from tinygrad_rnn.viz.styles import Style

T = 20
PHONE = {"size": (390, 844), "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def both():
    return {kind: measured(kind, steps=T) for kind in ("RNN", "LSTM")}


# ---- the legend -----------------------------------------------------------------------------------------------------


def test_the_legend_tells_what_the_width_of_an_arrow_means(show, lstm):
    shown = show(lstm, level="cell")
    row = shown.tab.locator("#legend .arrows").first
    assert "share" in row.text_content()
    widths = row.locator("line").evaluate_all("all => all.map(line => parseFloat(getComputedStyle(line).strokeWidth))")
    assert widths == [WHOLE, WHOLE / 2, WHOLE / 10]
    assert row.evaluate("row => getComputedStyle(row.querySelector('line')).stroke") != "none"


def test_the_legend_has_only_what_occurs(show):
    one_way = data_of(page(networks.report("exploding"), level="cell"))
    assert [row["text"] for row in one_way["scale"]["arrows"]] == []
    shown = show(networks.report("exploding"), level="cell")
    legend = shown.tab.text_content("#legend")
    assert "a value" not in legend, "none was measured"
    assert "against" not in legend
    data = data_of(page(measured("GRU", steps=T), level="cell"))
    assert any("dashes" in arrow for arrow in data["panels"][0]["arrows"])
    assert any("dashes" in row for row in data["scale"]["arrows"])


# ---- hues -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_gates_have_other_hues_than_cells_and_dashes_of_their_own(show, both, dark):
    shown = show(both, level="cell", color_scheme="dark" if dark else "light")
    read = "names => names.map(name => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
    cells = shown.tab.evaluate(read, [f"--c{i}" for i in range(5)])
    gates = shown.tab.evaluate(read, [f"--g{i}" for i in range(5)])
    for cell, gate in itertools.product(map(hue, cells), map(hue, gates)):
        assert min(abs(cell - gate), 360 - abs(cell - gate)) > 25 or gate_is_dull(gates, gate), (cell, gate)
    dashes = shown.tab.locator(".gates .chart .curve").evaluate_all(
        "all => all.map(c => getComputedStyle(c).strokeDasharray)"
    )
    assert len(set(dashes)) == len(dashes) == 4, "told apart in grey, too"


def hue(text):
    return 360 * colorsys.rgb_to_hsv(*(int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)))[0]


def gate_is_dull(gates, wanted):
    """Whether a hue is that of a brown or a grey, which no line of a cell is."""
    (text,) = [gate for gate in gates if hue(gate) == wanted]
    return colorsys.rgb_to_hsv(*(int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)))[1] < 0.55


# ---- themes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_a_page_has_the_theme_it_was_made_with_whatever_the_browser_prefers(show, lstm, theme):
    shown = show(lstm, level="cell", style=Style(theme), color_scheme="light" if theme == "dark" else "dark")
    kind = "() => document.documentElement.dataset.theme"
    assert shown.tab.evaluate(kind) == theme
    shown.tab.click("#theme")
    assert (shown.tab.evaluate(kind) == "dark") is (theme != "dark")
    shown.tab.click("#theme")
    assert shown.tab.evaluate(kind) == theme


def test_in_print_nothing_has_a_colour(show, both):
    shown = show(both, level="cell", style=Style("print"))
    colours = shown.tab.evaluate(
        """() => [...document.querySelectorAll(".panel *, #strips *, #curves *, #legend *, #bar *, .gates *")].flatMap(
          each => { const style = getComputedStyle(each);
            return [style.fill, style.stroke, style.color, style.backgroundColor] })"""
    )
    found = {tuple(map(int, re.findall(r"\d+", colour)[:3])) for colour in set(colours) if colour.startswith("rgb")}
    assert len(found) > 10
    assert {colour for colour in found if max(colour) - min(colour) > 24} == set()


# ---- where there is little room -------------------------------------------------------------------------------------


def test_no_line_crosses_the_letters_of_the_horizon(show, both):
    shown = show(both, level="cell", **PHONE)
    for edge, said in zip(shown.tab.locator(".edge").all(), shown.tab.locator(".edge-text").all(), strict=True):
        line, text = edge.bounding_box(), said.bounding_box()
        assert not text["x"] < line["x"] < text["x"] + text["width"]
        assert text["x"] >= 0
        assert text["x"] + text["width"] <= 390
        assert re.search(r"horizon|^h: \d+ back$|^$", said.text_content()), "that of h only where there is room"


def test_no_curve_passes_through_the_letters_at_the_threshold(show, both):
    shown = show(both, level="cell", **PHONE)
    said = shown.tab.locator("#curves .halo")
    assert said.text_content().startswith("1%")
    text = said.bounding_box()
    for mark in shown.tab.locator("#curves line.horizon").all():
        assert mark.bounding_box()["x"] > text["x"] + text["width"]
    through = """([left, right, top, bottom]) =>
      [...document.querySelectorAll("#curves .curve[data-series]")].some(path => {
      const matrix = path.getScreenCTM(), long = path.getTotalLength();
      return [...Array(400).keys()].some(i => {
        const { x, y } = path.getPointAtLength((long * i) / 400).matrixTransform(matrix);
        return x > left && x < right && y > top && y < bottom }) })"""
    inside = [text["x"], text["x"] + text["width"], text["y"] + 3, text["y"] + text["height"] - 3]
    assert not shown.tab.evaluate(through, inside)


def test_what_all_read_stands_once(show, both):
    text = SimpleNamespace(labels=tuple("to be, or not to be:"), products=[0.0] * T, norms=[1.0] * T)
    other = SimpleNamespace(labels=tuple("that is the question"), products=[0.0] * T, norms=[1.0] * T)
    for second, count in ((text, 1), (other, 2)):
        shown = show(both, level="cell", inputs={"RNN": text, "LSTM": second}, size=(1300, 900))
        rows = [row.locator(".letter").count() for row in shown.tab.locator(".strip").all()]
        assert sum(row == T for row in rows) == count
        assert rows[-1] == T, "below all of them"


def test_a_tap_on_an_overview_leads_to_letters_that_can_be_read(show, both):
    shown = show(both["LSTM"], level="cell", **PHONE)
    shown.tab.get_by_role("button", name="show the whole graph").tap()
    graph = shown.tab.locator(".graph")
    assert "far" in graph.get_attribute("class")
    graph.scroll_into_view_if_needed()
    box = shown.box("t7_c")
    where = box.bounding_box()
    assert where["width"] < 12, "too small to read"
    shown.tab.touchscreen.tap(where["x"] + where["width"] / 2, where["y"] + where["height"] / 2)
    assert "far" not in (graph.get_attribute("class") or "")
    seen, window = box.bounding_box(), graph.bounding_box()
    assert window["x"] < seen["x"]
    assert seen["x"] + seen["width"] < window["x"] + window["width"]
    letters = box.locator("text").first.evaluate("text => text.getBoundingClientRect().height")
    assert letters > 11
    box.tap()
    assert shown.tab.locator("#card").is_visible(), "now a tap asks what it is"
