"""The heat strip: its numbers without a browser, and what it does in one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz import networks
from tests.viz.stepper import data_of, measured, numbers, shown_colour
from tinygrad_rnn import viz
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import FlowMap
from tinygrad_rnn.viz.page import page
from tinygrad_rnn.viz.scale import Scale

T = 20


def read(steps=T, labels=True):
    """Return inputs as `train.input_flow` has them."""
    rng = np.random.default_rng(0)
    text = "to be, or not to be:"
    return SimpleNamespace(
        labels=tuple(text[:steps]) if labels else (), products=rng.normal(size=steps), norms=rng.random(steps)
    )


def mapped(steps=T):
    """Return a map in which the loss of step tau has 0.5^(tau - t) at the state of step t."""
    at = np.arange(steps)
    lags = at[:, None] - at
    return FlowMap("h", 0, "forward", tuple(range(steps)), np.where(lags >= 0, 0.5 ** np.maximum(lags, 0), np.nan))


@pytest.fixture(scope="module")
def rnn():
    return measured("RNN", steps=T)


def strip_of(report, **options):
    (panel,) = data_of(page(report, **options))["panels"]
    return panel["strip"]


# ---- without a browser ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_it_is_about_the_state_that_the_verdict_goes_by(kind):
    report = measured(kind, steps=T)
    strip = strip_of(report)
    state = report.state(report.horizon.state)
    assert strip["kind"] == state.kind
    assert strip["steps"] == list(report.steps)
    np.testing.assert_allclose([cell["norm"] for cell in strip["cells"]], state.norms, rtol=1e-8)
    np.testing.assert_allclose([cell["share"] for cell in strip["cells"]], state.norms / state.norms[-1], rtol=1e-8)
    edges = {(edge["name"], edge["lag"], edge["text"]) for edge in strip["edges"]}
    of = f" of {state.kind}" if len(report.cell) > 1 else ""
    expected = {("horizon", report.horizon.steps, f"horizon{of}, {report.horizon.steps} back: less than 0.01")}
    for other in report.cell:
        if other.kind != state.kind:
            lag = other.horizon(report.threshold)
            expected.add(("other", lag, f"{other.kind}: {lag} back"))
    assert edges == expected, "every state has a mark where less than the threshold of its own is left"
    assert strip["facts"][0] == report.verdict
    assert numbers(strip["facts"][1])[0] == pytest.approx(report.decay.per_step, rel=6e-3)
    assert numbers(strip["facts"][2])[0] == pytest.approx(state.relative(T - 1), rel=0.06)


def test_all_steps_are_there_whatever_is_drawn(rnn):
    assert len(strip_of(rnn, window=(15, 20))["cells"]) == T
    long = measured("RNN", steps=110)
    (panel,) = data_of(page(long))["panels"]
    assert any(box.get("fold") for box in panel["boxes"]), "too many steps to draw them all"
    assert len(panel["strip"]["cells"]) == 110
    (panel,) = data_of(page(measured("RNN", steps=40)))["panels"]
    assert not any(box.get("fold") for box in panel["boxes"])


def test_of_the_reverse_direction_the_last_step_taken_is_at_the_right_end():
    report = networks.report("reverse alone")
    labels = SimpleNamespace(labels=("a", "b", "c"), products=np.array([1.0, 2, 3]), norms=np.array([4.0, 5, 6]))
    strip = strip_of(report, inputs=labels)
    assert (strip["steps"], strip["labels"], strip["products"], strip["sizes"]) == (
        [2, 1, 0], ["c", "b", "a"], [3, 2, 1], [6, 5, 4]
    )  # fmt: skip
    assert strip["cells"][-1]["share"] == 1


def test_zero_nan_underflow_and_explosion_are_told_apart():
    def chain(factor, dtype="float64"):
        h = tg.tensor([[1.0, 2.0]], dtype=dtype, requires_grad=True)
        for t in range(8):
            with tg.scope("t", t):
                h = (h * (factor if t == 5 or factor > 1 or factor == 1e-9 else 0.9)).named("h")
        return strip_of(viz.gradient_flow(h.sum(axis=1)))

    looks = {name: [cell["look"] for cell in strip["cells"]] for name, strip in (
        ("zero", chain(0.0)), ("nan", chain(float("nan"))), ("tiny", chain(1e-9, "float32")), ("huge", chain(30.0))
    )}  # fmt: skip
    assert looks["zero"] == ["zero"] * 5 + ["finite"] * 3
    assert looks["nan"] == ["nonfinite"] * 5 + ["finite"] * 3
    assert looks["tiny"][0] == "underflow"
    assert looks["huge"][:2] == ["exploded", "exploded"]
    assert [edge["name"] for edge in chain(30.0)["edges"]] == ["exploded"]


def test_a_verdict_that_is_withheld_draws_no_horizon():
    report = networks.report("long, losses")
    assert report.verdict == "withheld"
    strip = strip_of(report)
    assert (strip["edges"], strip["facts"][0]) == ([], "no verdict")
    assert len(strip["cells"]) == 40


def test_without_states_there_is_none():
    assert strip_of(networks.report("no time")) is None


def test_inputs_and_maps_must_belong_to_the_reports(rnn):
    with pytest.raises(InputError, match="inputs of 3 steps do not belong to a report of 20"):
        page(rnn, inputs=read(3))
    with pytest.raises(InputError, match="inputs of 'LSTM' are given, and the panels are 'RNN'"):
        page({"RNN": rnn}, inputs={"LSTM": read()})
    assert "reach" not in strip_of(rnn, maps=mapped(T + 1)), "a map of other steps says nothing here"


def test_a_column_of_the_loss_map_is_what_each_loss_still_has(rnn):
    rows = strip_of(rnn, maps=mapped())["reach"]["shades"]
    assert [len(row) for row in rows] == list(range(T, 0, -1))
    scale = Scale(rnn.threshold)
    for row in rows:
        felt = [shade <= 180 for shade in row]
        assert felt == [0.5**lag >= 0.01 for lag in range(len(row))]
        assert row[0] == 120 + round(120 * scale.look(1.0, True, 1.0).place)


# ---- in a browser ---------------------------------------------------------------------------------------------------


def frame_of(shown, panel=""):
    """Return the first and last step that are framed on a strip."""
    row = shown.tab.locator(f'[data-strip="{panel}"]')
    brush = row.locator(".brush").bounding_box()
    places = [cell.bounding_box() for cell in row.locator(".cell").all()]
    middles = [place["x"] + place["width"] / 2 for place in places]
    inside = [i for i, x in enumerate(middles) if brush["x"] < x < brush["x"] + brush["width"]]
    return inside[0], inside[-1]


def in_sight(shown, panel=""):
    """Return the steps whose frames are in the window of the graph."""
    return shown.tab.evaluate(
        """panel => { const graph = document.querySelector(`[data-panel="${panel}"] .graph`);
          const window = graph.getBoundingClientRect();
          return [...graph.querySelectorAll(".frame:not(.inner)")].map(frame => {
            const { left, right } = frame.querySelector("rect").getBoundingClientRect();
            const middle = (left + right) / 2, step = frame.textContent.match(/\\d+/);
            return step && middle > window.left + 62 && middle < window.right ? Number(step[0]) : -1 })
          .filter(step => step >= 0) }""",
        panel,
    )


def drag(shown, start, end, panel=""):
    cells = shown.tab.locator(f'[data-strip="{panel}"] .cell')
    spots = [cells.nth(i).bounding_box() for i in (start, end)]
    x, y = (spots[0]["x"] + spots[0]["width"] / 2, spots[0]["y"] + 10)
    shown.tab.mouse.move(x, y)
    shown.tab.mouse.down()
    shown.tab.mouse.move(spots[1]["x"] + spots[1]["width"] / 2, y, steps=4)
    shown.tab.mouse.up()


def test_each_step_has_its_colour_and_its_character(show, rnn):
    shown = show(rnn, inputs=read())
    state = rnn.state("h")
    fills = shown.tab.locator(".strip .cell").evaluate_all("all => all.map(each => getComputedStyle(each).fill)")
    scale = Scale(rnn.threshold)
    assert fills == [shown_colour(scale.look(float(norm), True, float(state.norms[-1]))) for norm in state.norms]
    assert "".join(shown.tab.locator(".strip .letter").all_text_contents()) == "to␣be,␣or␣not␣to␣be:"
    edge = shown.tab.locator(".edge").bounding_box()["x"]
    assert edge == pytest.approx(
        shown.tab.locator(".strip .cell").nth(T - rnn.horizon.steps).bounding_box()["x"], abs=1.5
    )
    assert f"horizon, {rnn.horizon.steps} back: less than 0.01" in shown.tab.text_content(".edge-text")


def test_it_fills_in_with_the_backward_pass(show, rnn):
    shown = show(rnn, level="cell")
    waiting = shown.tab.locator(".strip .cell.waiting")
    assert waiting.count() == 0
    shown.press("t")
    assert waiting.count() == T
    assert not shown.tab.locator(".edge-text").is_visible(), "that would give the answer away"
    shown.press("ArrowRight", "ArrowRight")
    assert (shown.current(), waiting.count()) == (f"t{T - 1}_h", T - 1), "as soon as its own box is complete"
    shown.press("t", "PageDown", "PageDown", "PageDown")
    assert waiting.count() == T - 2
    shown.press("End")
    assert shown.tab.locator(".edge-text").is_visible()


def test_a_drag_chooses_what_the_graph_shows(show, rnn):
    shown = show(rnn, level="cell")
    drag(shown, 4, 8)
    first, last = frame_of(shown)
    assert in_sight(shown) == list(range(first, last + 1)), "the frame is what the graph shows"
    assert (4 - first, first <= 4) == (last - 8, True), "these steps are in the middle"
    sizes = shown.tab.locator(".graph [data-box] text").evaluate_all(
        "all => all.filter(e => e.textContent && e.getBoundingClientRect().width).map(e => e.getScreenCTM().d "
        "* Number(e.getAttribute('font-size')))"
    )
    assert min(sizes) >= 8.99
    drag(shown, 0, T - 1)
    assert frame_of(shown) == (0, T - 1)
    assert shown.tab.is_visible(".overview"), "what is too small to read says so"
    drag(shown, 2, 4)
    assert not shown.tab.is_visible(".overview")


def test_a_click_puts_a_step_into_the_middle(show, rnn):
    shown = show(rnn, level="cell")
    drag(shown, 12, 16)
    shown.tab.locator(".strip .cell").nth(5).click()
    assert sum(frame_of(shown)) / 2 == 5
    assert 5 in in_sight(shown)


def test_a_window_of_one_strip_is_one_of_all(show):
    reports = {kind: measured(kind, steps=T) for kind in ("RNN", "GRU")}
    shown = show(reports, level="cell")
    drag(shown, 6, 9, panel="GRU")
    for name in reports:
        assert set(in_sight(shown, name)) >= {6, 7, 8, 9}


def test_the_keyboard_moves_and_brushes(show, rnn):
    shown = show(rnn, level="cell", inputs=read())
    strip = shown.tab.locator(".strip")
    shown.press("Tab", "Tab", "Tab")
    assert strip.evaluate("strip => strip === document.activeElement")
    tick = shown.tick
    for step in (T - 1, T - 2, T - 3):
        text = strip.get_attribute("aria-valuetext")
        assert text.startswith(f't={step}, "{read().labels[step]}": gradient of h ')
        assert numbers(text.partition("gradient")[2])[0] == pytest.approx(rnn.hidden_grad[step], rel=0.06)
        assert numbers(text.partition(", ")[2])[-1] == pytest.approx(
            rnn.hidden_grad[step] / rnn.hidden_grad[-1], rel=0.06
        )
        shown.press("ArrowLeft")
    assert shown.tick == tick, "the arrow keys of the strip are its own"
    assert shown.tab.locator("#card").is_visible()
    shown.press("Home", "ArrowRight", "ArrowRight")
    assert strip.get_attribute("aria-valuenow") == "2"
    shown.press("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    first, last = frame_of(shown)
    assert first <= 2 < 5 <= last
    assert abs(first + last - 7) <= 1
    shown.press("ArrowRight", "Enter")
    assert frame_of(shown)[0] <= 6 <= frame_of(shown)[1]


def test_pointing_at_a_character_tells_what_the_loss_has_from_it(show, rnn):
    inputs = read()
    shown = show(rnn, inputs=inputs, maps=mapped())
    shown.tab.locator(".strip .cell").nth(7).hover()
    card = shown.tab.locator("#card")
    facts = dict(zip(card.locator("dt").all_text_contents(), card.locator("dd").all_text_contents(), strict=True))
    assert card.locator("h3").text_content() == "t=7, “o”"
    assert numbers(facts["x_t · ∂L/∂x_t"])[0] == pytest.approx(inputs.products[7], rel=6e-3)
    assert numbers(facts["‖∂L/∂x_t‖"])[0] == pytest.approx(inputs.norms[7], rel=6e-3)
    assert "root mean square over 2" in facts["‖∂L/∂x_t‖"]
    assert "losses of t=7 to t=13" in facts["felt at h of t"], "0.5^6 is more than 0.01, 0.5^7 is not"
    reached = shown.tab.locator(".strip .reach").evaluate_all("all => all.map(e => /s\\d+/.test(e.className.baseVal))")
    assert reached == [False] * 7 + [True] * (T - 7)
    named = shown.tab.locator(".reach-name").all_text_contents()
    assert named == ["felt by the losses of:"], "the row of losses has a name"
    assert shown.tab.locator("#curves .hot-band.shown").count() == 1
    shown.tab.mouse.move(1, 1)
    assert card.is_hidden()
    assert shown.tab.locator(".strip .reach.finite").count() == 0
    assert shown.tab.locator(".reach-name").all_text_contents() == [""]


def test_moving_the_graph_moves_the_frame(show, rnn):
    shown = show(rnn, level="cell")
    drag(shown, 10, 13)
    before = frame_of(shown)
    shown.press("Home")
    shown.walk("PageDown")
    shown.press("t")
    for _ in range(12):
        shown.press("PageDown")
    assert frame_of(shown) != before or len(in_sight(shown)) == T
    first, last = frame_of(shown)
    assert in_sight(shown) == list(range(first, last + 1))


def test_hostile_characters_stay_text(show, rnn):
    inputs = read()
    inputs.labels = ("<b>", "</script>", *inputs.labels[2:])
    shown = show(rnn, inputs=inputs)
    assert shown.tab.locator(".strip b").count() == 0
    shown.tab.locator(".strip .cell").nth(1).hover()
    assert shown.tab.text_content("#card h3") == "t=1, “</script>”"
