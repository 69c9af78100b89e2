"""The sheet: the page of plots with its sentences, tables and words."""

import dataclasses
import math
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz.sheet_page import Page, page_of
from tests.viz.test_plots import report
from tinygrad_rnn import nn
from tinygrad_rnn.flow import RemedyFlow, gradient_flow
from tinygrad_rnn.flow.figures import number
from tinygrad_rnn.viz import sheet
from tinygrad_rnn.viz.change_tables import remedied
from tinygrad_rnn.viz.change_tables import trained as trained_table
from tinygrad_rnn.viz.plots import PLOTS, Entry
from tinygrad_rnn.viz.sheet import write_sheet
from tinygrad_rnn.viz.terms import glossary
from tinygrad_rnn.viz.weights_told import opening

WICKED = "<b>\"x\" & 'y'</script> $z$"


def test_names_settings_and_commands_are_escaped(tmp_path):
    entries = [Entry(WICKED, report(h=[0.1, 1.0], weight=[1.0, 2.0], notes=(f"note {WICKED}",)))]
    write_sheet(tmp_path, entries, {WICKED: WICKED}, f"echo {WICKED}", formats=())
    text = (tmp_path / "flow.html").read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "</script>" not in text
    page = Page(text)
    assert page.texts["title"] == [f"Gradient flow: {WICKED}"]
    assert WICKED in page.texts["td"]
    assert WICKED in page.texts["dd"]
    assert page.texts["pre"] == [f"echo {WICKED}"]
    assert WICKED in page.images[0]["alt"]
    assert f"{WICKED}: note {WICKED}" in page.texts["li"]


def test_numbers_that_do_not_exist_are_said_to(tmp_path):
    entries = [
        Entry("zero", report(h=[0.0, 0.0])),
        Entry("broken", report(h=[np.nan, np.inf, 1.0])),
        Entry("bare", report()),
        Entry("once", report(h=[1.0])),
    ]
    write_sheet(tmp_path, entries, {}, "none", formats=())
    page = page_of(tmp_path)
    for verdict in ("zero", "nonfinite", "no named states"):
        assert verdict in page.texts["td"]
    assert "NaN" in page.texts["td"]
    assert not {"nan", "inf", "None"} & set(page.texts["td"])
    assert "The Jacobians of the states were not measured" in " ".join(page.texts["p"])


@pytest.mark.usefixtures("words_only")
def test_cells_whose_names_have_commas_are_told_apart(tmp_path):
    names = ["lstm:forget_bias=1,nonlinearity=relu, 3 updates", "gru, 3 updates"]
    write_sheet(tmp_path, [Entry(name, report(h=[0.1, 1.0])) for name in names], {}, "none")
    page = page_of(tmp_path)
    assert page.texts["title"] == [f"Gradient flow: {'; '.join(names)}"]
    assert any(text.startswith(f"Measured: {'; '.join(names)}") for text in page.texts["p"])


@pytest.mark.usefixtures("words_only")
def test_words_are_explained_where_they_appear(tmp_path):
    entries = [
        Entry("gru:update_bias=8", report(h=[0.1, 1.0]), cell="gru:update_bias=8"),
        Entry("irnn:gain=1.3", report(h=[1e6, 1.0], weight=[0.0, 1.0]), cell="irnn:gain=1.3"),
    ]
    write_sheet(tmp_path, entries, {"loss": "nats/char"}, "none")
    page = page_of(tmp_path)
    words = dict(zip(page.texts["dt"], page.texts["dd"], strict=True))
    for word in ("horizon", "half-life", "survives", "explodes", "nats", "irnn", "gru", "gain", "update_bias"):
        assert word in words
    assert "t=0 to t=1" in words["T, t and lag"]
    assert "exactly nothing" in words["0 at the first step"]
    assert not {"lstm", "forget_bias", "vanishes"} & set(words), "only what is on the page"
    write_sheet(tmp_path, entries[:1], {}, "none")
    assert not {"nats", "irnn", "explodes"} & set(page_of(tmp_path).texts["dt"])


def trained():
    """A cell before a training and after it, as it is measured, with what a change would do."""
    tried = [
        RemedyFlow("W_hh times 2", "survives", "h", None, 0.9, 2, 0.81, 1.5, largest=3.0),
        RemedyFlow("W_hh times 9", "nonfinite", "h", None, None, None, None, math.nan),
    ]
    before, after = report(h=[0.001, 0.1, 1.0]), report(h=[0.005, 0.1, 1.0]).beside(remedies=tuple(tried))
    history = [(0, before), (7, after)]
    return Entry("rnn, 7 updates", after.beside(before=before), cell="rnn", updates_made=7, history=history)


@pytest.mark.usefixtures("words_only")
def test_where_why_and_what_to_change_stand_above_all_tables(tmp_path):
    write_sheet(tmp_path, [trained()], {}, "none", pages={"step by step, <initial>": "stepper.init.html"})
    page = page_of(tmp_path)
    found = dict(zip(page.texts["dt"], page.texts["dd"], strict=True))
    assert page.texts["h2"][:2] == [PLOTS["over_training"].heading, "rnn"]
    said = next(text for text in page.texts["li"] if text.startswith("rnn: Training "))
    text = (tmp_path / "flow.html").read_text(encoding="utf-8")
    assert text.index(said) < text.index("<img") < text.index(">where<"), "first what a training did, then a picture"
    assert found["where"].startswith("rnn vanishes: less than 0.01 of ")
    assert "left at the first step 0.001 → 0.005" in found["what training did"]
    assert found["what to change"].startswith("with W_hh times 2, and nothing else, the gradient would survive: ")
    assert "step by step, <initial>" in page.texts["a"]
    assert "stepper.init.html" in page.addresses
    for name in ("#change", "#training"):
        assert name in page.addresses


@pytest.mark.usefixtures("words_only")
def test_without_a_training_the_gradient_through_time_comes_first(tmp_path):
    write_sheet(tmp_path, [Entry("x", report(h=[0.1, 1.0]))], {}, "none")
    page = page_of(tmp_path)
    assert page.texts["h2"][:2] == [PLOTS["through_time"].heading, "x"]
    assert not any("Training" in text for text in page.texts["li"])


@pytest.mark.usefixtures("words_only")
def test_changes_and_training_have_a_table_each(tmp_path):
    lines = remedied([trained()])
    assert lines == [
        ["rnn", "none", "0.0707", "2", "0.005", "1", "1", "vanishes"],
        ["", "W_hh times 2", "0.9", ">2", "0.81", "3", "1.5", "survives"],
        ["", "W_hh times 9", "-", "-", "-", "-", "NaN", "nonfinite"],
    ]
    heads, rows = trained_table([trained()])
    assert heads == ("cell", "what", "initial weights", "after 7 updates")
    assert ["", "horizon", "2", "2"] in rows
    assert ["", "left at the first step", "0.001", "0.005"] in rows
    assert rows[0] == ["rnn", "loss of the last step", "1", "1"]
    write_sheet(tmp_path, [trained()], {}, "none")
    page = page_of(tmp_path)
    assert "W_hh times 2" in page.texts["td"]
    write_sheet(tmp_path, [Entry("x", report(h=[0.1, 1.0]))], {}, "none")
    assert not {"#change", "#training"} & set(page_of(tmp_path).addresses), "only where there is something"


@pytest.mark.usefixtures("words_only")
def test_the_signs_on_the_page_are_explained(tmp_path):
    found = gradient_flow(nn.GRU(2, 3).unroll(tg.randn(6, 4, 2))[0][-1].sum(axis=1), statistics=True)
    write_sheet(tmp_path, [Entry("gru", found)], {}, "none")
    words = set(page_of(tmp_path).texts["dt"])
    assert "round" not in words, "no other state leads round in a GRU"
    assert {"‖·‖", "straight", "root mean square", "geometric mean", "weight_ih_l0, weight_hh_l0"} <= words
    assert not {"tanh′, relu′, W_hh", "σ_max", "finite-time Lyapunov exponent", "median"} & words
    single = gradient_flow(nn.RNN(2, 3).unroll(tg.randn(6, 4, 2))[0][-1].sum(axis=1), statistics=True)
    write_sheet(tmp_path, [Entry("rnn", single.beside(sigma_max=(("weight_hh_l0", 1.0),)))], {}, "none")
    words = set(page_of(tmp_path).texts["dt"])
    assert {"tanh′, relu′, W_hh", "σ_max"} <= words
    assert "carry" not in words


def test_a_share_is_defined_with_numbers_that_show_how_it_differs_from_the_ratio_of_factors():
    found = gradient_flow(nn.LSTM(2, 3).unroll(tg.randn(6, 4, 2))[0][-1].sum(axis=1), statistics=True)
    words = dict(glossary([Entry("lstm", found)], {}))
    assert "⟨message, g⟩ / ‖g‖²" in words["share"]
    cause = next(each for each in found.causes() if each.straight is not None)
    share, ratio = dict(cause.shares)[cause.kind], cause.straight / cause.per_step
    assert words["share"].endswith(
        f"×{number(cause.straight)} and all together ×{number(cause.per_step)}, which is {ratio:.0%}, and its share is "
        f"{share:.0%}."
    )
    assert "share" not in dict(glossary([Entry("x", report(h=[0.1, 1.0]))], {})), "only where there are shares"


def test_the_threshold_is_given_where_it_is_a_word():
    entries = [Entry(name, report(h=[0.1, 1.0], threshold=value)) for name, value in (("a", 0.02), ("b", 0.5))]
    assert dict(glossary(entries[:1], {}))["threshold"].startswith("0.02 unless said otherwise, ")
    assert dict(glossary(entries, {}))["threshold"].startswith("0.02 or 0.5 unless said otherwise, ")


@pytest.mark.usefixtures("words_only")
def test_the_first_sentence_says_what_is_learned_by_which_loss_and_that_surviving_is_not_learning(tmp_path):
    (said,) = opening([trained()], {"task": "adding", "loss": "squared error"})
    assert said.startswith("What is learned (task adding): the sum of the two numbers that are marked among T. ")
    assert "the gradient of one loss, that of the last step, in squared error" in said
    assert said.endswith("does not say how much is learned: that loss is 1 (rnn); with initial weights 1.")
    write_sheet(tmp_path, [trained()], {"task": "adding", "loss": "squared error"}, "none")
    assert page_of(tmp_path).texts["p"][0] == said
    (bare,) = opening([Entry("x", report(h=[0.1, 1.0]))], {})
    assert "What is learned" not in bare
    assert bare.endswith("that loss is 1 (x).")


@pytest.mark.usefixtures("words_only")
def test_the_graphs_that_its_colours_are_of_are_a_click_away(tmp_path):
    graphs = {"RNN, trained weights": "rnn.svg", "RNN, <initial> weights": "rnn.init.svg"}
    write_sheet(tmp_path, [Entry("x", report(h=[0.1, 1.0]))], {}, "none", graphs=graphs)
    page = page_of(tmp_path)
    assert {"rnn.svg", "rnn.init.svg"} <= set(page.addresses)
    assert set(graphs) <= set(page.texts["a"])


def test_a_sheet_of_nothing_can_be_written(tmp_path):
    written = write_sheet(tmp_path, [], {}, "none")
    assert [path.name for path in written] == ["flow.html"]
    assert page_of(tmp_path).texts["pre"] == ["none"]


def test_the_page_needs_no_network_and_reads_in_the_dark(tmp_path):
    write_sheet(tmp_path, [Entry("x", report(h=[0.1, 1.0]))], {}, "none", formats=())
    text = (tmp_path / "flow.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)


def test_what_was_too_small_for_its_dtype_is_not_called_0():
    sizes = [0.0, 1e-30, 1e-15, 1.0]
    small, exact = (dataclasses.replace(report(h=sizes).states[0], dtype=dtype) for dtype in ("float32", "float64"))
    rows = sheet.rows([Entry(name, report(states=(state,))) for name, state in (("small", small), ("exact", exact))])
    assert [row.share(3) for row in rows] == ["underflow", "0"]
    assert [sheet.cells(row)[-4] for row in rows] == ["underflow", "0"]


def test_the_table_shows_horizon_factor_and_half_life():
    first, second = sheet.rows([Entry("x", report(h=0.5 ** np.arange(9.0)[::-1], c=[1.0] * 9))])
    assert (first.name, first.state, first.reached, first.verdict) == ("x", "h", "7", "")
    assert (first.per_step, first.half_life) == (pytest.approx(0.5), pytest.approx(1.0))
    assert (second.state, second.reached, second.half_life, second.verdict) == ("c", ">8", None, "survives")
    assert sheet.cells(second) == ["1", "1", ">8", "1", "none"]


def test_on_a_phone_no_column_and_no_part_of_a_picture_is_off_the_edge(tmp_path, chromium):
    entries = [Entry(name, report(h=list(np.geomspace(1e-6, 1, 40)))) for name in ("rnn, 250 updates", "lstm")]
    write_sheet(tmp_path, entries, {}, "none", formats=())
    tab = chromium.new_page(viewport={"width": 390, "height": 844})
    tab.goto((tmp_path / "flow.html").as_uri())
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= 390
    ends = "all => all.map(each => [each.getBoundingClientRect().left, each.getBoundingClientRect().right])"
    for what in ("td", "img"):
        found = tab.locator(what).evaluate_all(ends)
        assert found
        assert all(0 <= left < right <= 390 for left, right in found), what
    content = "cell => getComputedStyle(cell, '::before').content"
    row = tab.locator("tbody tr").first.locator("td").all()
    assert row[0].evaluate(content) == "none"
    assert [cell.evaluate(content).strip('"') for cell in row[-3:]] == ["× per step ", "half-life ", "verdict "]
    picture = tab.locator("figure .wide").first
    assert "touch" in picture.evaluate(content)
    picture.focus()
    assert picture.evaluate("box => box.scrollWidth > box.clientWidth"), "as large as its letters need"
    assert "sideways" in picture.evaluate(content)
    tab.set_viewport_size({"width": 1200, "height": 900})
    assert tab.locator(".wide").first.evaluate(content) == "none"
    assert row[-1].evaluate(content) == "none"
    tab.close()
