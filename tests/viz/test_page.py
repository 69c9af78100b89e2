"""The stepper, in a real browser: every control is used, and what the page shows is compared with the report."""

from __future__ import annotations

import math
import re
from importlib import resources

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.viz import networks
from tests.viz.stepper import HOSTILE, STEPS, data_of, measured, numbers, shown_colour
from tinygrad_rnn import nn, viz
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.flow import FlowReport
from tinygrad_rnn.viz.page import page, write_page
from tinygrad_rnn.viz.picture import picture

# ---- without a browser ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("panels", "options", "message"),
    [
        ({}, {}, "nothing to show"),
        ({"a": tg.ones(2)}, {}, "'a' is Tensor, not a report"),
        (tg.ones(2), {}, "Tensor is no report"),
        (3, {}, "int is no report"),
        ("report", {"level": "rolled"}, "nothing to step through"),
        ("report", {"level": "none"}, "the level 'none' is unknown"),
        ("report", {"window": (90, 100)}, "no step lies in 90:100"),
        ("empty", {}, "has no nodes"),
    ],
)
def test_what_cannot_be_shown_is_refused(lstm, panels, options, message):
    empty = FlowReport(1, 0.0, (), (), (), (), {}, (), {}, 0.01, ())
    with pytest.raises(InputError, match=re.escape(message)):
        page({"report": lstm, "empty": empty}.get(panels, panels) if isinstance(panels, str) else panels, **options)


def test_a_path_that_cannot_be_written_is_refused(lstm, tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        write_page(tmp_path / "none" / "page.html", lstm)
    assert list(tmp_path.iterdir()) == []


def test_the_code_is_small_and_names_no_other_address():
    folder = resources.files("tinygrad_rnn.viz") / "assets"
    code = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    del code["language.js"]  # only pages in another language carry it
    assert sum(len(text.encode()) for text in code.values()) < 150_000
    text = page(measured("RNN", 2))
    assert re.findall(r"https?://[^\s\"']+", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<(link|script|img)[^>]+(src|href)=\"(?!data:)", text)


def test_numbers_are_those_of_the_report(lstm):
    (panel,) = data_of(page(lstm))["panels"]
    drawn = picture(lstm)
    assert [box["name"] for box in panel["boxes"]] == [box.name for box in drawn.boxes]
    for box, shown in zip(drawn.boxes, panel["boxes"], strict=True):
        assert shown.get("norm") == (pytest.approx(box.norm, rel=1e-8) if box.requires_grad else None)
    for arrow, shown in zip(drawn.arrows, panel["arrows"], strict=True):
        assert shown.get("norm") == (pytest.approx(arrow.norm, rel=1e-8) if arrow.requires_grad else None)
    weight = next(weight for weight in panel["weights"] if weight["name"] == "weight_hh_l0")
    np.testing.assert_allclose(weight["per_step"], lstm.weights["weight_hh_l0"].per_step, rtol=1e-8)
    np.testing.assert_allclose(weight["running"], lstm.weights["weight_hh_l0"].running, rtol=1e-8)
    c = next(state for state in panel["states"] if state["kind"] == "c")
    np.testing.assert_allclose(c["norms"], lstm.cell_grad[::-1], rtol=1e-8)
    assert c["steps"] == list(lstm.steps[::-1])


def test_a_cell_has_the_same_colour_on_every_page(reports):
    pages = [page(reports), page({"GRU": reports["GRU"], "LSTM (forget bias 3)": reports["LSTM"]})]
    first, second = ({panel["name"][:3]: panel["colour"] for panel in data_of(text)["panels"]} for text in pages)
    assert first == {"RNN": 0, "LST": 1, "GRU": 2}
    assert second == {"GRU": 2, "LST": 1}


def test_an_op_with_several_outputs_shows_no_single_number():
    tg.manual_seed(0)
    outputs, _ = nn.unroll(nn.LSTMCell(1, 1, dtype="float64"), tg.randn(2, 1, 1, dtype="float64"))
    (panel,) = data_of(page(viz.gradient_flow(outputs[-1].sum(axis=1), statistics=True), level="ops"))["panels"]
    split = [box for box in panel["boxes"] if box.get("op") == "split"]
    assert split
    assert not any({"value", "gradient"} & set(box) for box in split)


def test_hostile_texts_cannot_leave_their_place():
    x = tg.ones(2, requires_grad=True).named(HOSTILE)
    text = page({HOSTILE: viz.gradient_flow((x * 2.0).sum())}, title=HOSTILE)
    assert text.count("</script>") == 2, "the data and the code end, nothing else"
    (panel,) = data_of(text)["panels"]
    assert panel["name"] == HOSTILE
    assert not set(text.partition('id="data">')[2].partition("</script>")[0]) & set("<>&\u2028")
    assert "<h1>a&lt;b&gt;|&quot;q&quot; &lt;/script&gt;" in text


# ---- what it shows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["cell", "ops"])
def test_it_opens_at_the_end_with_every_gradient_of_the_report(show, lstm, level):
    shown = show(lstm, level=level)
    assert shown.tick == shown.ticks
    drawn = picture(lstm, level)
    looks = shown.looks()
    fills = shown.tab.evaluate(
        "() => [...document.querySelectorAll('[data-box]')].map(box => [Number(box.dataset.box), "
        "getComputedStyle(box.querySelector('.body')).fill])"
    )
    for i, fill in fills:
        box = drawn.boxes[i]
        classes, lines = looks[box.name]
        if not box.requires_grad:
            assert "not-required" in classes
        elif box.norm == 0:
            assert ("zero" in classes, lines[-1]) == (True, "grad 0")
        else:
            assert {"finite", box.seen.kind} <= classes
            assert numbers(lines[-1])[-1] == pytest.approx(box.norm, rel=0.06)
            assert fill == shown_colour(box.seen), "the colours are those of the scale"
    for arrow, (_, classes, stroke, width) in zip(drawn.arrows, shown.arrows(), strict=True):
        if arrow.requires_grad and arrow.norm:
            assert arrow.seen.kind in classes
            assert stroke == shown_colour(arrow.seen) or arrow.seen.kind == "vanished", "ghosts are too pale for lines"
            assert float(width.removesuffix("px")) == pytest.approx(arrow.width, abs=0.02) or level == "ops"
        else:
            assert {"zero", "not-required"} & set(classes)


@pytest.mark.parametrize("level", ["cell", "ops"])
def test_no_arrow_is_filled_whatever_its_gradient(show, level):
    panels = {name: networks.report(name) for name in ("zero", "nan", "exploding", "two layers, both directions")}
    shown = show(panels, level=level)
    fills = shown.tab.evaluate("() => [...document.querySelectorAll('.arrow')].map(a => getComputedStyle(a).fill)")
    assert len(fills) > 100
    assert set(fills) == {"none"}


def test_the_forward_pass_fills_in_values(show, lstm):
    shown = show(lstm, level="cell")
    shown.tab.click("#start")
    assert all("waiting" in classes and len(lines) == 1 for classes, lines in shown.looks().values())
    assert "nothing is computed" in shown.live
    nodes = {node.name: node for node in lstm.nodes}
    looks = shown.looks()
    for _ in range(shown.turn):
        before, _ = looks, shown.press("ArrowRight")
        looks, name = shown.looks(), shown.current()
        classes, lines = looks[name]
        assert classes & {"valued", "not-required"}
        assert "waiting" in before[name][0]
        if name in nodes and nodes[name].values is not None and nodes[name].value is None:
            found = nodes[name].values
            if nodes[name].role == "state":
                assert numbers(lines[-1])[-1] == pytest.approx(math.hypot(found.mean, found.std), rel=0.06)
                assert lines[-1] in shown.live
            elif "±" in lines[-1]:
                assert numbers(lines[-1])[-2:] == pytest.approx([found.mean, found.std], rel=0.06)
                assert f"{lines[-1].split()[-3]} ± {lines[-1].split()[-1]}" in shown.live
            elif lines[-1].startswith("value"):
                assert numbers(lines[-1])[-1] == pytest.approx(found.mean, rel=0.06)
                assert lines[-1] in shown.live
    assert shown.tick == shown.turn
    assert "turning point" in shown.live
    assert all(classes & {"valued", "not-required"} for classes, _ in shown.looks().values())
    assert shown.current() == "loss"


def test_the_backward_pass_sends_messages_and_gathers_them(show, lstm):
    shown = show(lstm, level="cell")
    shown.tab.click("#turn")
    arrows = shown.panel()["arrows"]
    names = [box["name"] for box in shown.panel()["boxes"]]
    done = []
    gathered = {}
    while shown.tick < shown.ticks - 1:
        shown.press("ArrowRight")
        done.append(shown.current())
        looks = shown.looks()
        assert not looks[done[-1]][0] & {"waiting", "valued", "gathering"}
        for name, (classes, lines) in looks.items():
            if "gathering" in classes:
                gathered.setdefault(name, []).append(lines[-1])
        if len(done) < 12:
            for arrow, (_, classes, *_) in zip(arrows, shown.arrows(), strict=True):
                sent = names[arrow["head"]] in done and arrow["look"] != "not required"
                assert (set(classes) & {"finite", "zero"} != set()) == sent
    assert done[0] == "loss"
    assert done[1] == f"t{STEPS - 1}_h"
    middle = f"t{STEPS - 2}_h"
    assert list(dict.fromkeys(gathered[middle])) == [f"{n} of 4 messages" for n in range(1, 5)]
    assert list(dict.fromkeys(gathered["weight_hh_l0"])) == [f"{n} of {STEPS} steps" for n in range(1, STEPS + 1)]


def test_a_state_says_how_much_of_the_gradient_is_left_there_as_its_colour_does(show, lstm):
    shown = show(lstm, level="cell")
    for state in lstm.cell:
        for lag in range(STEPS):
            lines = shown.looks()[f"t{STEPS - 1 - lag}_{state.kind}"][1]
            share = 100 * state.relative(lag)
            assert lines[0].startswith(f"{state.kind}: ")
            assert numbers(lines[0])[0] == pytest.approx(share, rel=0.06)
            assert lines[0].endswith("% left")
    shown.press("t")
    assert shown.looks()[f"t{STEPS - 1}_h"][1][0] == "h", "not before the backward pass has been there"


def test_a_single_message_is_not_counted(show, reports):
    shown = show({"": reports["RNN"]}, level="cell")
    shown.tab.click("#turn")
    while shown.tick < shown.ticks - 1:
        shown.press("ArrowRight")
        for classes, lines in shown.looks().values():
            assert "gathering" not in classes or not re.search(r"\b1 of 1\b", " ".join(lines))


def test_the_sums_of_shared_weights_grow_by_each_steps_part(show, lstm):
    shown = show(lstm, level="cell")
    shown.tab.click("#turn")
    row = shown.tab.locator('[data-weight="weight_hh_l0"]')
    weight = lstm.weights["weight_hh_l0"]
    assert row.locator(".sum").text_content() == "—"
    assert row.locator("rect.added").count() == 0
    shown.tab.click("#step-forward")
    for arrived in range(1, STEPS + 1):
        shown.tab.click("#step-forward")
        place = STEPS - arrived
        assert row.locator("rect.added").count() == arrived
        assert numbers(row.locator(".sum").text_content())[0] == pytest.approx(weight.running[place], rel=6e-3)
        width = row.locator(".rail .meter").evaluate("meter => parseFloat(meter.style.width)")
        assert width == pytest.approx(100 * weight.running[place] / weight.running.max(), rel=1e-3)
    row.locator(f'rect[data-place="{STEPS - 2}"]').hover()
    facts = shown.tab.text_content("#card")
    assert f"t={STEPS - 2}" in facts
    assert any(number == pytest.approx(weight.per_step[STEPS - 2], rel=6e-3) for number in numbers(facts))
    assert numbers(row.locator(".sum").text_content())[0] == pytest.approx(weight.total, rel=6e-3)
    assert shown.tab.locator(".frame.hot").count() == 1


def test_a_sum_that_was_larger_on_the_way_says_so_when_it_is_complete(show):
    """Or a bar that is not full would look like a gradient that is not complete."""
    report = measured("RNN", steps=20, seed=2)
    shown = show(report, level="cell")
    shrunk = {name for name, weight in report.weights.items() if weight.running.max() > 1.01 * weight.total}
    assert shrunk == {"bias_ih_l0", "bias_hh_l0", "weight_ih_l0"}
    for name, weight in report.weights.items():
        said = shown.tab.locator(f'[data-weight="{name}"] .sum').text_content()
        expected = [weight.total, weight.running.max()] if name in shrunk else [weight.total]
        assert numbers(said) == pytest.approx(expected, rel=6e-3)
    shown.press("t", "PageDown", "PageDown", "PageDown")
    assert "was" not in shown.tab.locator('[data-weight="bias_ih_l0"] .sum').text_content()


def test_only_a_gate_from_0_to_1_has_a_bar_for_how_far_it_is_open(show, lstm):
    shown = show(lstm, level="cell")
    assert shown.box("t1_forget_gate_f").locator(".level.low").is_visible()
    assert shown.box("t1_candidate_g").locator(".level.low").count() == 0
    shown.tab.click("#turn")
    assert shown.box("t1_candidate_g").locator(".level").is_visible(), "where its values lie, as long as they are shown"


def test_a_bar_is_as_high_as_what_its_step_adds(show):
    """On a logarithmic axis all would look alike; and before it arrives, none may be seen."""
    report = measured("LSTM", steps=20)
    shown = show(report, level="cell")
    bars = shown.tab.locator('[data-weight="weight_hh_l0"] .parts rect')
    heights = bars.evaluate_all("all => all.map(bar => bar.height.baseVal.value)")
    sizes = report.weights["weight_hh_l0"].per_step
    wanted = np.maximum(26 * sizes / sizes.max(), np.where(sizes > 0, 1.5, 1))
    assert heights == pytest.approx(wanted, rel=1e-3)
    shown.press("t")
    assert set(bars.evaluate_all("all => all.map(bar => getComputedStyle(bar).fillOpacity)")) == {"0"}


def test_bars_keep_their_height_whatever_a_notebooks_style_says(show, lstm):
    shown = show(lstm)
    shown.tab.add_style_tag(content="svg { height: auto; max-width: 100%; }")
    heights = shown.tab.locator(".parts").evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
    assert set(heights) == {26} or set(heights) == {27}


def test_findings_and_curves_are_computed(show, reports):
    shown = show(reports)
    for name, report in reports.items():
        text = shown.tab.text_content(f'[data-panel="{name}"]')
        assert viz.words.findings(report)[0] in text
    curve = shown.tab.get_attribute('[data-series="LSTM c"]', "d")
    state = reports["LSTM"].state("c")
    points = [tuple(map(float, point.split())) for point in re.split("[ML]", curve)[1:]]
    assert len(points) == STEPS
    xs = [point[0] for point in points]
    left = shown.tab.locator("#curves .chart").bounding_box()["x"]
    for lag, x in enumerate(xs):
        assert left + x == pytest.approx(shown.at(lag)[0], abs=1), "each point stands below its step of the strips"
    steps = np.diff([point[1] for point in points])
    logs = np.diff(np.log10(state.by_lag / state.by_lag[0]))
    np.testing.assert_allclose(steps / steps[0], logs / logs[0], atol=0.02)


def test_the_curves_have_the_edges_of_the_scale(show):
    shown = show({"RNN": measured("RNN", steps=20), "wild": networks.report("exploding")}, level="cell")
    ghosts, grown = (shown.tab.locator(f"#curves .{name}").bounding_box() for name in ("ghosts", "grown"))
    line = shown.tab.locator("#curves .threshold").bounding_box()
    assert ghosts["y"] == pytest.approx(line["y"], abs=1.5)
    assert grown["y"] + grown["height"] < ghosts["y"]


def test_a_vanishing_gradient_is_marked_where_the_report_says(show):
    report = measured("RNN", steps=20)
    assert report.verdict == "vanishes"
    shown = show(report, level="cell", window=(0, 20))
    lag = report.horizon.steps
    assert f"below 0.01 from {lag} back" in shown.tab.text_content("#curves")
    x = float(shown.tab.get_attribute("circle.horizon", "cx")) + shown.tab.locator("#curves .chart").bounding_box()["x"]
    assert x == pytest.approx(shown.at(lag, last=19)[0], abs=1)
    flag = shown.tab.locator(".flag")
    assert "raised" in flag.get_attribute("class")
    shown.tab.click("#turn")
    for _ in range(lag + 1):
        shown.tab.click("#step-forward")
    assert "raised" not in flag.get_attribute("class")
    shown.tab.click("#step-forward")
    assert "raised" in flag.get_attribute("class")


# ---- other graphs ---------------------------------------------------------------------------------------------------


def test_a_graph_without_time(show):
    a = tg.tensor(2.0, dtype="float64", requires_grad=True).named("a")
    b = tg.tensor(-3.0, dtype="float64").named("b")
    shown = show(viz.gradient_flow((a * b + a).named("L"), statistics=True))
    for hidden in ("#step-back", "#step-forward", "#curve-section", "#gate-section", "#stack"):
        assert shown.tab.is_hidden(hidden)
    assert shown.looks()["a"][1] == ["a", "value 2", "grad -2"]
    assert "tg.scope('t', t)" in shown.tab.text_content(".panel")
    shown.press("Home")
    for name in ("a", "b", "mul", "L", "L", "mul"):
        shown.press("ArrowRight")
        assert shown.current() == name
        shown.press("PageDown", "Shift+ArrowRight")
    assert shown.looks()["a"][1] == ["a", "value 2", "2 of 2 messages"]
    shown.press("ArrowRight")
    assert shown.tick == shown.ticks


def test_a_leaf_alone(show):
    shown = show(viz.gradient_flow(tg.tensor(2.0, requires_grad=True).named("a")))
    assert shown.looks()["a"][1] == ["a", "value 2", "grad 1"]


def test_nan_and_zero_gradients(show):
    def chain(factor):
        h = tg.tensor([[1.0, 2.0]], dtype="float64", requires_grad=True)
        for t in range(4):
            with tg.scope("t", t):
                h = (h * (factor if t == 2 else 1.0)).named("h")
        return viz.gradient_flow(h.sum(axis=1), statistics=True)

    zero, nan = chain(0.0), chain(math.nan)
    shown = show({"zero": zero, "nan": nan, "inf": chain(math.inf), "fine": chain(0.5)})
    assert {panel["name"]: panel["status"] for panel in shown.data["panels"]} == {
        "zero": "ok", "nan": "nonfinite", "inf": "nonfinite", "fine": "ok"
    }  # fmt: skip
    looks = {name: shown.looks(name) for name in ("zero", "nan", "inf", "fine")}
    assert ("zero" in looks["zero"]["t1_h"][0], looks["zero"]["t1_h"][1][-1]) == (True, "grad 0")
    assert ("nonfinite" in looks["nan"]["t1_h"][0], looks["nan"]["t1_h"][1][-1]) == (True, "grad NaN")
    assert looks["inf"]["t1_h"][1][-1] in ("grad Inf", "grad NaN")
    assert "finite" in looks["fine"]["t1_h"][0]
    assert "NaN or Inf" in shown.tab.text_content('[data-panel="nan"] .finding')
    assert shown.tab.locator(".zero").count() > 0
    shown.press("Home")
    shown.walk()
    assert shown.tick == shown.ticks
    shown.press("End", "PageUp")
    assert "zero: t=0, gradient 0 | nan: t=0, gradient NaN" in shown.live
    shown.box("t1_h", "nan").hover()
    assert "NaN" in shown.tab.text_content("#card")


def test_what_is_too_small_for_its_dtype_is_not_called_exactly_zero(show):
    h = tg.tensor([[1.0, 2.0]], dtype="float32", requires_grad=True)
    for t in range(8):
        with tg.scope("t", t):
            h = (h * 1e-9).named("h")
    shown = show(viz.gradient_flow(h.sum(axis=1)), level="ops")
    classes, lines = shown.looks()["t0_h"]
    assert "underflow" in classes
    assert lines[-1] == "grad underflow"
    assert "0 by underflow" in shown.tab.text_content("#legend")
    assert "exactly 0" not in shown.tab.text_content("#legend")
    shown.press("ArrowLeft")
    assert "exactly 0" not in shown.live
    assert not any("zero" in names for _, names, *_ in shown.arrows())


def test_a_gradient_that_explodes_has_a_ring(show):
    h = tg.tensor([[1.0, 2.0]], dtype="float64", requires_grad=True)
    for t in range(4):
        with tg.scope("t", t):
            h = (h * 30.0).named("h")
    report = viz.gradient_flow(h.sum(axis=1))
    assert report.verdict == "explodes"
    shown = show(report)
    assert "exploded" in shown.looks()["t0_h"][0]
    assert shown.box("t0_h").locator(".ring").count() == 1
    assert shown.box("t3_h").locator(".ring").count() == 0
    assert "explodes" in shown.tab.text_content(".finding")


def test_a_folded_middle_is_one_box_and_one_event(show):
    report = measured("RNN", steps=40)
    shown = show(report, level="cell", window=(28, 40))
    fold = next(box for box in shown.panel()["boxes"] if box["kind"] == "fold")
    first, last = fold["fold"]
    shown.tab.click("#turn")
    names = []
    while shown.tick < shown.ticks - 1:
        shown.press("PageDown")
        names.append(shown.current())
    assert names.count(fold["name"]) == 1
    shown.press("End")
    classes, lines = shown.looks()[fold["name"]]
    assert "finite" in classes
    assert lines == fold["lines"]
    assert f"t = {first} to {last}" in lines
    shown.tab.locator("#curves").scroll_into_view_if_needed()
    shown.tab.mouse.move(*shown.at(39 - (first + last) // 2, last=39))
    assert "hot" in shown.box(fold["name"]).get_attribute("class")
    shown.tab.locator(".graph").scroll_into_view_if_needed()
    shown.box(fold["name"]).hover()
    assert "shown" in shown.tab.get_attribute("#curves .hot-band", "class")
    width = shown.tab.locator("#curves .hot-band").evaluate("band => band.width.baseVal.value")
    assert width == pytest.approx((shown.at(0, last=39)[0] - shown.at(last - first, last=39)[0]), abs=8)


def test_layers_and_both_directions(show):
    shown = show(measured("GRU", steps=4, num_layers=2, bidirectional=True))
    shown.press("Home")
    shown.walk()
    assert shown.tick == shown.ticks
    shown.walk("PageUp")
    assert shown.tick == 0


def test_a_long_graph_is_drawn_where_it_is_seen(show):
    shown = show(measured("RNN", steps=100), level="cell", window=(0, 100))
    hidden = "() => [...document.querySelectorAll('.graph g')].filter(g => g.style.display === 'none').length"
    assert shown.tab.evaluate(hidden) > 5
    assert not shown.box("t50_h").is_visible()
    shown.box("t99_h").click()
    shown.press(*["PageUp"] * 50)
    assert shown.box(shown.current()).is_visible()
    assert shown.current().startswith("t49_")
    focused = "() => Number(document.activeElement.dataset.box)"
    names = [box["name"] for box in shown.panel()["boxes"]]
    assert names[shown.tab.evaluate(focused)] == "t99_h", "what has the focus keeps it, out of sight"
    shown.press("ArrowUp")
    assert shown.box(names[shown.tab.evaluate(focused)]).is_visible()
    shown.tab.get_by_title("show the whole graph").click()
    assert shown.tab.evaluate(hidden) == 0


def test_without_statistics_the_page_says_so(show):
    shown = show(measured("RNN", statistics=False), level="cell")
    assert "Values were not measured" in shown.tab.text_content(".panel")
    shown.press("Home", "ArrowRight")
    assert shown.live.endswith(": computed")
    assert shown.tab.is_hidden("#gate-section")


def test_without_edges_there_are_no_messages_to_show(show):
    tg.manual_seed(0)
    outputs, _ = nn.unroll(nn.RNNCell(3, 4, dtype="float64"), tg.randn(3, 2, 3, dtype="float64"))
    shown = show(viz.gradient_flow(outputs[-1].sum(axis=1), edges=False))
    assert "finite" in shown.looks()["t1_h"][0]
    assert shown.tab.locator(".weights").count() == 0
    shown.press("Home")
    shown.walk()
    assert shown.tick == shown.ticks


def test_hostile_labels_are_shown_as_they_are(show):
    x = tg.ones(2, requires_grad=True).named(HOSTILE)
    with tg.scope("t", 0), tg.scope(HOSTILE):
        y = (x * 2.0).named('<img src=x onerror="alert(1)">')
    shown = show({HOSTILE: viz.gradient_flow(y.sum(), statistics=True)}, title=HOSTILE)
    assert shown.tab.text_content("h1") == HOSTILE.replace("\u2028", "\u2028")
    assert shown.tab.text_content("h2") == HOSTILE
    captions = shown.tab.locator("[data-box] text:first-of-type").all_text_contents()
    assert any(HOSTILE in text for text in captions)
    assert any(text.startswith('<img src=x onerror="alert(1)">') for text in captions)
    assert shown.tab.locator("img, .graph b").count() == 0
    shown.tab.locator("[data-box]").nth(1).hover()
    shown.press("Home")
    shown.walk()


def test_nothing_leaks_out_of_the_page(show, lstm, chromium, tmp_path):
    shown = show(lstm)
    (tmp_path / "empty.html").write_text("<!doctype html><title>empty</title>")
    empty = chromium.new_page()
    empty.goto((tmp_path / "empty.html").as_uri())
    names = "() => Object.getOwnPropertyNames(window)"
    before = set(empty.evaluate(names))
    ids = set(re.findall(r'id="([\w-]+)"', shown.tab.content()))
    assert set(shown.tab.evaluate(names)) - before - ids == set()
    empty.close()
