"""The plots: what lies on the axes is what the reports say, and what cannot lie there is shown all the same."""

import builtins
import dataclasses
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from functools import cache

import matplotlib
import matplotlib.style
import numpy as np
import pytest

import tests.flow.cells as cells
import tinygrad_rnn as tg
from tests.viz.networks import unrolled
from tinygrad_rnn import nn
from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.flow import (
    FlowMap,
    FlowReport,
    JacobianReport,
    StateFlow,
    WeightFlow,
    flow_map,
    gradient_flow,
    state_jacobians,
)
from tinygrad_rnn.flow.held import held_gradient
from tinygrad_rnn.flow.measured import MeasuredFlow
from tinygrad_rnn.flow.sentences import number
from tinygrad_rnn.flow.units import units_of
from tinygrad_rnn.train import Update
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.plots import chart
from tinygrad_rnn.viz.plots.attenuation import culprit
from tinygrad_rnn.viz.styles import SIZES, THEMES, Style

TIME = 6


def report(h=(), c=None, weight=None, direction="forward", **changes):
    """A report with these sizes of the gradient, step by step."""
    steps = tuple(range(len(h)))
    kinds = {"h": h} | ({} if c is None else {"c": c})
    states = tuple(StateFlow(kind, 0, direction, (), steps, np.array(g, float)) for kind, g in kinds.items() if len(g))
    weights = {}
    if weight is not None:
        sums = np.cumsum(np.array(weight, float)[::-1])[::-1]
        weights["weight_hh_l0"] = WeightFlow(0, np.array(weight, float), sums, float(sums[0]))
    facts = {"batch": 1, "loss": 1.0, "steps": steps, "nodes": (), "edges": (), "links": (), "crossings": {}}
    return FlowReport(**facts | {"states": states, "weights": weights, "threshold": 0.01, "notes": ()} | changes)


@cache
def measured(losses=cells.lstm_losses, gates=4):
    x, readout = cells.example(steps=TIME)
    p = cells.tensors(cells.parameters(2, 3, gates))
    return gradient_flow(losses(p, x, readout), statistics=True)


def line(axes, label):
    (found,) = [line for line in axes.get_lines() if line.get_label().partition(":")[0] == label]
    return found


@pytest.fixture(autouse=True)
def warnings_fail():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drawn(figure, laid_out=False):
    """Draw a figure, so that what fails only then fails here; where its panels lie takes most of the time."""
    if not laid_out:
        figure.set_layout_engine("none")
    figure.draw_without_rendering()
    return figure


def inside(figure):
    """Whether all that is written lies on the paper."""
    box = figure.bbox.padded(2)
    texts = [*figure.texts, *[text for legend in figure.legends for text in legend.get_texts()]]
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    return all(box.contains(*corner) for text in texts for corner in text.get_window_extent().get_points())


def title_of(axes):
    return axes.get_title().replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


def words(figure):
    """All that is written somewhere in a figure."""
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


# ---- 1 and 8: through time -----------------------------------------------------------------------------------------


def test_the_lines_through_time_are_what_is_left_by_lag():
    both = report(h=[1e-9, 1e-4, 2.0], c=[3e-7, 0.5, 4.0])
    figure = drawn(plots.through_time({"lstm": both, "rnn": report(h=[1e-30, 1e-3, 1.0])}))
    of_h, of_c = figure.axes
    np.testing.assert_allclose(line(of_h, "lstm").get_ydata(), [1, 5e-5, 5e-10])
    np.testing.assert_allclose(line(of_h, "rnn").get_ydata(), [1, 1e-3, 1e-30])
    np.testing.assert_allclose(line(of_c, "lstm").get_ydata(), [1, 0.125, 7.5e-8])
    assert list(line(of_h, "rnn").get_xdata()) == [0, 1, 2]
    assert of_h.get_yscale() == "log"
    assert line(of_h, "_horizon lstm").get_xdata() == [1]
    assert line(of_c, "_horizon lstm").get_xdata() == [2]
    assert "Gradient through time" in words(figure)
    assert r"\partial L_b" in words(figure)


def test_lines_differ_in_colour_dashes_and_markers():
    figure = plots.through_time({str(i): report(h=[0.1, 1.0]) for i in range(7)})
    lines = [line(figure.axes[0], str(i)) for i in range(7)]
    for what in ("get_color", "get_linestyle", "get_marker"):
        looks = {getattr(each, what)() for each in lines}
        assert len(looks) >= (3 if what == "get_linestyle" else 7)  # patterns of one's own all count as "--"


def test_a_cell_that_was_not_measured_keeps_the_colours_of_the_others():
    one, other = report(h=[0.1, 1.0]), report(h=[0.2, 1.0])
    together = plots.through_time({"a": one, "b": other}).axes[0]
    alone = plots.through_time({"a": None, "b": other}).axes[0]
    assert line(together, "b").get_color() == line(alone, "b").get_color() != line(together, "a").get_color()


def test_the_legend_tells_the_factor_per_step_and_the_half_life():
    falling, rising = 0.5 ** np.arange(9)[::-1], 2.0 ** np.arange(4)[::-1]
    figure = plots.through_time(
        {
            "falls": report(h=falling),
            "rises": report(h=rising),
            "once": report(h=[1.0]),
            "bends": report(h=[0.01, 0.01, 0.01, 0.1, 1.0]),
        }
    )
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "falls: h ×0.5 per step, half-life 1 step",
        "rises: h ×2 per step",
        "once: h has no factor per step",
        "bends: h ×0.316 per step to lag 4 (×0.1 to lag 2, ×1 after it)",
    ]


def test_a_cell_has_the_same_colour_whatever_stands_beside_it():
    one = report(h=[0.1, 1.0])
    pages = [["rnn", "lstm", "gru"], ["gru, 5 updates", "lstm:forget_bias=3"], ["irnn", "GRU", "LSTM (forget bias 3)"]]
    found = {}
    for names in pages:
        axes = plots.through_time(dict.fromkeys(names, one)).axes[0]
        for each in axes.get_lines():
            if not each.get_label().startswith("_"):
                found.setdefault(each.get_label().lower()[:3], set()).add(each.get_color())
    assert {key: len(colours) for key, colours in found.items()} == {"rnn": 1, "lst": 1, "gru": 1, "irn": 1}
    assert len(set.union(*found.values())) == 4


def test_one_measurement_needs_no_name():
    one = measured()
    for draw in (plots.through_time, plots.attenuation, plots.gates):
        drawn(draw(one))
    drawn(plots.contributions(report(h=[0.1, 1.0], weight=[1.0, 2.0])))
    drawn(plots.loss_maps(by_hand([[1.0]])))
    drawn(plots.singular_values(jacobians_by_hand()))
    drawn(plots.over_training([(0, one)]))
    drawn(plots.clipping([Update(1.0, 2.0, 1.0)], 1.0))


def test_below_the_threshold_and_above_one_the_paper_is_shaded():
    axes = drawn(plots.through_time({"x": report(h=[1e-4, 5.0, 1.0])})).axes[0]
    low, high = axes.get_ylim()
    spans = [patch.get_path().vertices[:, 1] for patch in axes.patches]
    ends = [tuple(patch.get_patch_transform().transform([(0, min(ys)), (0, max(ys))])[:, 1])
            for patch, ys in zip(axes.patches, spans, strict=True)]  # fmt: skip
    assert any(end == pytest.approx((low, 0.01)) for end in ends)
    assert any(end == pytest.approx((1, high)) for end in ends)


def test_zeros_nan_and_infinity_are_marked_and_leave_gaps():
    broken = report(h=[0.0, 0.0, np.nan, np.inf, 1e-5, 1.0])
    figure = drawn(plots.through_time({"broken": broken}))
    axes = figure.axes[0]
    np.testing.assert_array_equal(line(axes, "broken").get_ydata(), [1, 1e-5, np.nan, np.nan, np.nan, np.nan])
    places = {word: line(axes, f"_{word}").get_xdata().tolist() for word in ("0", "NaN", "Inf")}
    assert places == {"0": [4, 5], "NaN": [3, 3], "Inf": [2, 2]}
    assert line(axes, "_0").get_ydata()[0] < 0.5 < line(axes, "_Inf").get_ydata()[0]  # shares of the axis
    assert {"0", "NaN", "Inf"} <= {text.get_text() for text in axes.texts}


def test_floors_are_marked_relative_to_the_gradient_at_the_last_step():
    far = report(h=[1e-60, 1.0, 100.0])
    figure = drawn(plots.through_time({"far": far}))
    floors = sorted(float(line.get_ydata()[0]) for line in figure.axes[0].get_lines() if line.get_label() == "_floor")
    tiny = np.finfo(np.float32)
    np.testing.assert_allclose(floors, [float(tiny.smallest_subnormal) / 100, float(tiny.smallest_normal) / 100])
    assert "float32 loses digits below 1.2e-38" in words(figure)
    assert "Not in sight, further below: float64 loses digits below 2.2e-308" in words(figure)
    near = plots.through_time({"near": report(h=[1e-6, 1.0])})
    assert not [line for line in near.axes[0].get_lines() if line.get_label() == "_floor"]
    assert "float32 loses digits" in words(near)


def test_sizes_near_the_end_of_float64_can_be_drawn():
    figure = drawn(plots.through_time({"x": report(h=[5e-324, 1e-308, 1e-200, 1.0])}))
    assert line(figure.axes[0], "x").get_ydata()[-1] == 5e-324
    assert "float64 is 0 below 4.9e-324" in words(figure)


def test_no_gradient_at_all_no_states_and_a_single_step_can_be_drawn():
    figure = drawn(plots.through_time({"zero": report(h=[0.0, 0.0])}))
    assert line(figure.axes[0], "_0").get_xdata().tolist() == [0, 1]
    for draw in (plots.through_time, plots.attenuation, plots.contributions, plots.gates):
        assert "name" in words(drawn(draw({"bare": report()}))) or "No weight" in words(draw({"bare": report()}))
        drawn(draw({}))
        drawn(draw({"once": report(h=[2.0], weight=[1.0])}))
    drawn(plots.over_training({"once": [(0, report(h=[2.0]))]}))
    drawn(plots.over_training({"zero": [(0, report(h=[0.0, 0.0]))]}))


def test_a_reverse_cell_counts_its_lags_from_the_first_step():
    backward = report(h=[4.0, 2.0, 1.0], weight=[3.0, 2.0, 1.0], direction="reverse")
    np.testing.assert_allclose(line(plots.through_time({"r": backward}).axes[0], "r").get_ydata(), [1, 0.5, 0.25])
    heights = [bar.get_height() for bar in plots.contributions({"r": backward}).axes[0].patches]
    np.testing.assert_allclose(heights, np.array([3, 2, 1]) / 6)


def test_over_training_there_is_a_panel_for_each_update_and_kind():
    histories = {
        "a": [(0, report(h=[0.5, 1.0], c=[0.1, 1.0])), (8, report(h=[0.25, 1.0], c=[0.2, 1.0]))],
        "b": [(0, report(h=[0.75, 1.0]))],
        "c": None,
    }
    figure = drawn(plots.over_training(histories))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["h, initial weights", "h, after 8 updates", "c, initial weights", "c, after 8 updates"]
    assert [line(axes, "a").get_ydata()[1] for axes in figure.axes] == [0.5, 0.25, 0.1, 0.2]
    assert line(figure.axes[0], "b").get_ydata()[1] == 0.75
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a: h", "b: h", "a: c"], "c has a key, too"
    assert "Gradient through time, before and after training" in words(figure)
    often = [(made, report(h=[0.5, 1.0])) for made in range(3)]
    assert "while training" in words(plots.over_training({"a": often}))
    assert "Nothing was measured" in words(drawn(plots.over_training({"c": None})))


# ---- 3, 6 and 7: why -----------------------------------------------------------------------------------------------


def test_the_factors_on_the_only_path_are_drawn_and_multiply_to_the_whole():
    found = measured(cells.rnn_losses, gates=1)
    (axes,) = drawn(plots.attenuation({"rnn": found})).axes
    whole, slope, weight = (line(axes, label).get_ydata() for label in ("all paths together", "tanh′", "W_hh"))
    np.testing.assert_allclose(whole, (found.hidden_grad[:-1] / found.hidden_grad[1:])[::-1])
    np.testing.assert_allclose(slope * weight, whole)
    assert list(line(axes, "W_hh").get_xdata()) == [1, 2, 3, 4, 5]


def test_the_panel_names_the_culprit():
    one = measured(cells.rnn_losses, gates=1)
    (axes,) = plots.attenuation({"rnn": one}).axes
    means = {label: np.exp(np.log(line(axes, label).get_ydata()).mean()) for label in ("tanh′", "W_hh")}
    worst = min(means, key=means.get)
    assert f"most is lost in {worst}: × {means[worst]:.2g} per step" in title_of(axes)
    threshold = float((one.states[0].by_lag[1:3] / one.states[0].by_lag[0]).mean())
    (axes,) = plots.attenuation({"rnn": MeasuredFlow(one._survey, one._noted, one.loss, threshold)}).axes
    means = {label: np.exp(np.log(line(axes, label).get_ydata()[:2]).mean()) for label in ("tanh′", "W_hh")}
    assert f"× {min(means.values()):.2g} per step" in title_of(axes), "down to the horizon, lag 2"


def test_the_panel_tells_by_shares_which_path_brings_most():
    found = measured()
    shares = {cause.kind: dict(cause.shares) for cause in found.causes()}
    of_h, of_c = plots.attenuation({"lstm": found}).axes
    straight = shares["c"]["c"]
    ways = sorted([(straight, "straight through f"), (1 - straight, "round by c → h → gates → c")], reverse=True)
    assert title_of(of_c).endswith(f"most comes {ways[0][1]}: {ways[0][0]:.0%}; next {ways[1][1]}: {ways[1][0]:.0%}")
    most = max(shares["h"], key=shares["h"].get)
    assert f"most comes by {most}: {shares['h'][most]:.0%}; next by " in title_of(of_h)


def test_each_part_of_a_state_has_its_own_horizon_marked():
    both = report(h=[1e-4, 1e-3, 0.5, 1.0], c=[1e-3, 0.1, 0.5, 1.0])
    found = [[each.get_xdata()[0] for each in axes.get_lines() if each.get_label() == "_horizon"]
             for axes in drawn(plots.attenuation({"lstm": both})).axes]  # fmt: skip
    assert found == [[2], [3]]
    lasting = plots.attenuation({"x": report(h=[0.5, 1.0])}).axes[0]
    assert not [each for each in lasting.get_lines() if each.get_label() == "_horizon"]


def test_the_culprit_is_named_over_the_lags_of_the_factor_per_step():
    lags = np.array([1, 2, 3])
    split = [("tanh′", lags, np.array([0.5, 0.5, 1e-9])), ("W_hh", lags, np.array([0.4, 0.4, 8.0]))]
    assert culprit(split, 2).replace("\N{NO-BREAK SPACE}", " ") == "most is lost in W_hh: × 0.4 per step"
    assert "tanh′" in culprit(split, 3)


def test_every_panel_of_paths_has_an_axis_of_its_own():
    figure = drawn(plots.attenuation({"rnn": measured(cells.rnn_losses, gates=1), "lstm": measured()}))
    assert len({axes.get_ylim() for axes in figure.axes}) == 3


def test_no_two_paths_have_one_colour():
    kinds = {"rnn": measured(cells.rnn_losses, gates=1), "lstm": measured(), "gru": gradient_flow(unrolled("GRU"))}
    figure = plots.attenuation(kinds)
    found = {each.get_label(): each.get_color() for axes in figure.axes for each in axes.get_lines()
             if not each.get_label().startswith("_")}  # fmt: skip
    assert len(set(found.values())) == len(found) >= 10


def test_a_carry_has_no_gates_colour():
    left, right = plots.gates({"lstm": measured()}).axes
    carry = line(right, "the gate alone, unit by unit").get_color()
    assert carry not in {each.get_color() for each in left.get_lines()}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_gate_has_one_colour_in_all_plots_and_no_cells(theme):
    found, style = measured(), Style(theme=theme)
    bands, _ = plots.gates({"lstm": found}, style=style).axes
    of_h, _ = plots.attenuation({"lstm": found}, style=style).axes
    through = plots.through_time({name: report(h=[0.1, 1.0]) for name in "0123456789"}, style=style).axes[0]
    cells_ = {each.get_color() for each in through.get_lines()}
    for gate in "ifgo":
        (band,) = [each for each in bands.get_lines() if each.get_label().startswith(gate)]
        assert band.get_color() == line(of_h, f"gate {gate}").get_color()
        assert band.get_color() not in cells_


def test_in_all_plots_over_lags_time_runs_to_the_right():
    gru = gradient_flow(unrolled("GRU"), statistics=True)
    for figure in (
        plots.through_time({"x": gru}), plots.attenuation({"x": gru}), plots.gates({"x": gru}),
        plots.contributions({"x": gru}), plots.over_training({"x": [(0, gru)]}),
        plots.singular_values({"x": jacobians_by_hand()}),
    ):  # fmt: skip
        over = [axes for axes in figure.axes if "T-t" in axes.get_xlabel()]
        assert over
        assert all("steps back from the loss" in axes.get_xlabel().replace("\n", " ") for axes in over)
        assert all(axes.get_xlim()[0] > axes.get_xlim()[1] for axes in over)


def of_cell(cell):
    tg.manual_seed(0)
    states, _ = nn.unroll(cell(2, 3, dtype="float64"), tg.randn(TIME, 2, 2, dtype="float64"))
    return gradient_flow(states[-1].sum(axis=1), statistics=True)


def test_a_peephole_leads_round_in_the_colour_of_its_gate():
    of_h, of_c = plots.attenuation({"peephole": of_cell(nn.PeepholeLSTMCell)}).axes
    assert line(of_c, "round by gate o").get_color() == line(of_h, "gate o").get_color()
    assert line(of_c, "round by h").get_color() != line(of_h, "gate o").get_color()


def test_where_no_gate_carries_no_floor_is_marked_either():
    figure = drawn(plots.gates({"lstm97": of_cell(nn.LSTM97Cell)}))
    assert [text.get_text() for text in figure.axes[1].texts] == ["no path that one gate carries"]


def test_h_and_c_of_one_cell_differ_in_dashes_and_marks():
    of_h, of_c = plots.through_time({"lstm": report(h=[0.1, 1.0], c=[0.2, 1.0])}).axes
    h, c = line(of_h, "lstm"), line(of_c, "lstm")
    assert h.get_color() == c.get_color()
    assert h.get_linestyle() != c.get_linestyle() or h._unscaled_dash_pattern != c._unscaled_dash_pattern
    assert h.get_markerfacecolor() != c.get_markerfacecolor()
    assert "h has filled marks, c hollow ones" in " ".join(words(of_h.figure).split())
    assert "hollow" not in words(plots.through_time({"rnn": report(h=[0.1, 1.0])}))


def test_a_bound_does_not_flatten_the_singular_values():
    axes = drawn(plots.singular_values({"x": jacobians_by_hand()}, {"x": 1e9 ** np.arange(3)})).axes[0]
    assert axes.get_ylim()[1] <= 100
    assert not [each for each in axes.get_lines() if each.get_label().startswith("bound")]
    assert "Not in sight, far above: the bound of x is 1.0e+18 at lag 2" in words(axes.figure).replace("\n", " ")


def test_red_paper_is_there_and_explained_where_something_lies_above_one():
    above, below = (plots.through_time({"x": report(h=[1e-4, size, 1.0])}) for size in (5.0, 0.5))
    assert ["Red: above 1." in words(figure) for figure in (above, below)] == [True, False]
    assert [len(figure.axes[0].patches) for figure in (above, below)] == [2, 1]


def test_of_the_contributions_of_one_weight_the_axis_is_named_once_and_a_zero_has_room():
    one = report(h=[0.1, 1.0], weight=[0.0, 1.0])
    axes = drawn(plots.contributions({"a": one, "b": one})).axes[:2]
    assert [bool(each.get_ylabel()) for each in axes] == [True, False]
    assert axes[0].get_xlim()[0] > 1.9 > axes[0].get_xlim()[1], "time runs to the right"


def test_what_arrives_along_each_path_is_relative_to_the_state_a_step_later():
    found = measured()
    of_h, of_c = drawn(plots.attenuation({"lstm": found})).axes
    through = {path.child: path for path in found.paths if path.parent == "h"}
    for gate in "ifgo":
        path = through[gate]
        expected = [size / found.hidden_grad[step] for step, size in zip(path.steps, path.norms, strict=True)]
        np.testing.assert_allclose(line(of_h, f"gate {gate}").get_ydata(), expected[::-1])
    (carry,) = [path for path in found.paths if path.parent == "c"]
    np.testing.assert_allclose(line(of_c, "straight").get_ydata(), (carry.norms / found.cell_grad[1:])[::-1])
    (way,) = found.rounds
    np.testing.assert_allclose(line(of_c, "round by h").get_ydata(), (way.norms[:-1] / found.cell_grad[1:])[::-1])
    assert list(line(of_c, "round by h").get_xdata()) == [1, 2, 3, 4, 5]
    assert "do not add" in words(of_h.figure)


def jacobians_by_hand(**changes):
    one_step = np.zeros((2, 1, 2, 2))
    one_step[0, 0], one_step[1, 0] = np.diag([0.5, 1e-30]), np.diag([0.5, 0.1])
    facts = {"kinds": ("h",), "layer": 0, "direction": "forward", "steps": (0, 1, 2), "one_step": one_step}
    return JacobianReport(**facts | {"precision": 2e-16, "notes": ()} | changes)


def test_singular_values_end_where_rounding_leaves_nothing():
    figure = drawn(plots.singular_values({"x": jacobians_by_hand()}, {"x": np.array([1.0, 2.0, 4.0])}))
    by_lag, exponents = figure.axes
    np.testing.assert_allclose(line(by_lag, "largest").get_ydata(), [1, 0.5, 0.25])
    np.testing.assert_allclose(line(by_lag, "smallest").get_ydata(), [1, 0.1])
    np.testing.assert_allclose(line(by_lag, "bound").get_ydata(), [1, 2, 4])
    np.testing.assert_allclose(line(exponents, "x").get_ydata()[0], np.log(0.5))


def test_exponents_that_are_not_finite_are_counted():
    dead = jacobians_by_hand(one_step=np.stack([np.diag([0.5, 0.0])[None], np.diag([0.5, 0.1])[None]]))
    figure = drawn(plots.singular_values({"dead": dead}))
    assert "dead: λ -0.693 to -0.693, 1 not finite" in words(figure)
    drawn(plots.singular_values({"once": jacobians_by_hand(steps=(0,), one_step=np.zeros((0, 1, 2, 2)))}))


def test_real_jacobians_can_be_drawn():
    x, readout = cells.example(steps=TIME)
    found = state_jacobians(cells.lstm_losses(cells.tensors(cells.parameters(2, 3, 4)), x, readout))
    figure = drawn(plots.singular_values({"lstm": found}))
    np.testing.assert_array_equal(line(figure.axes[0], "largest").get_ydata(), found.largest)
    assert "s=(h,c)" in figure.axes[0].get_title()


def test_beside_what_can_pass_stands_what_this_losss_gradient_gets():
    x, readout = cells.example(steps=TIME)
    losses = cells.lstm_losses(cells.tensors(cells.parameters(2, 3, 4)), x, readout)
    found, flow = state_jacobians(losses), gradient_flow(losses)
    (axes, _) = drawn(plots.singular_values({"lstm": found}, reports={"lstm": flow})).axes
    held = line(axes, "of this loss's gradient").get_ydata()
    np.testing.assert_allclose(held, held_gradient(flow, ("h", "c")))
    most = found.largest[-1]
    said = f"possible at lag 5: {number(most)}, this loss's gradient gets {number(held[-1])}: "
    assert f"{said}{held[-1] / most:.0%} of that" in title_of(axes)
    assert "possible" not in title_of(plots.singular_values({"lstm": found}).axes[0])


def test_a_gradient_that_lies_where_little_passes_is_said_to():
    h, losses = tg.ones(1, 2, dtype="float64"), None
    h.requires_grad = True
    for t in range(5):
        with tg.scope("t", t):
            h = (h * np.array([0.9, 0.05])).named("h")
    losses = (h * np.array([1e-9, 1.0])).sum(axis=1)
    entry = plots.Entry("x", gradient_flow(losses), jacobians=state_jacobians(losses))
    said = plots.PLOTS["singular_values"].sentences([entry])[-1]
    assert said == (
        f"x: possible at lag 4: {number(0.9**4)}, this loss's gradient gets {number(0.05**4)}: it lies in directions "
        "that shrink."
    )


def test_gates_show_their_band_and_what_they_carry():
    found = measured()
    figure = drawn(plots.gates({"rnn": measured(cells.rnn_losses, gates=1), "lstm": found}))
    left, right = figure.axes
    gates = {gate.label: gate for gate in found.gates}
    for label, gate in gates.items():
        (drawn_line,) = [each for each in left.get_lines() if each.get_label().startswith(label)]
        np.testing.assert_array_equal(drawn_line.get_ydata(), gate.mean[::-1])
    band = left.collections[list(gates).index("f")].get_paths()[0].vertices[:, 1]
    assert band.min() == gates["f"].low.min()
    assert band.max() == gates["f"].high.max()
    (carry,) = found.carries
    np.testing.assert_allclose(line(right, "measured").get_ydata(), (found.cell_grad / found.cell_grad[-1])[::-1])
    alone = line(right, "the gate alone, unit by unit").get_ydata()
    np.testing.assert_allclose(alone, (carry.norms / found.cell_grad[-1])[::-1])
    cause = next(cause for cause in found.causes() if cause.kind == "c")
    ends = f"f alone {number(cause.gate_alone)}"
    assert f"at lag {cause.lag}: measured {number(cause.measured)}, {ends}" in title_of(right)
    labels = [each.get_label() for each in left.get_lines()]
    assert labels == ["i", "f, 1 = keep the old c", "g", "o"]
    assert "Without named gates: rnn." in words(figure)


# ---- 4, 5 and 9 ----------------------------------------------------------------------------------------------------


def test_each_unit_stands_at_its_gate_and_as_high_as_its_share():
    flow = measured()
    found = units_of(flow)
    (panel,) = drawn(plots.units({"lstm": flow, "bare": report(h=[0.1, 1.0])})).axes
    assert found.factor == "f"
    held = line(panel, "_carriers")
    np.testing.assert_array_equal(held.get_xdata(), found.through[list(found.carriers)])
    np.testing.assert_array_equal(held.get_ydata(), found.shares[list(found.carriers)])
    assert len(line(panel, "_others").get_xdata()) == len(found.shares) - len(found.carriers)
    assert line(panel, "where the gradient is").get_xdata()[0] == found.there
    assert line(panel, "mean over all units").get_xdata()[0] == found.over_all
    assert "Without such a factor: bare." in words(panel.figure)


def test_numbers_of_units_cover_neither_each_other_nor_points_nor_lines(monkeypatch):
    flow = units_of(measured())
    through, shares = np.array([0.53, 0.48, 0.6, 0.37, 0.24, 0.94]), np.array([0.29, 0.08, 0.09, 0.1, 0.08, 0.3])
    made = {"through": through, "shares": shares, "carriers": (5, 0, 3, 2, 1), "over_all": 0.75, "there": 0.478}
    flow = dataclasses.replace(flow, **made)
    monkeypatch.setattr(sys.modules["tinygrad_rnn.viz.plots.units"], "units_of", lambda report: flow)
    (panel,) = drawn(plots.units({"lstm": measured()}), laid_out=True).axes
    labels = {text.get_text(): text.get_window_extent() for text in panel.texts}
    assert {"5", "0", "3", "2"} <= set(labels)
    boxes = list(labels.values())
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    points = panel.transData.transform(np.column_stack([through, shares]))
    assert not any(box.contains(*point) for box in boxes for point in points)
    for at in (0.75, 0.478):
        x, _ = panel.transData.transform((at, 0))
        assert not any(box.x0 < x < box.x1 for box in boxes)


def test_candidates_are_set_apart_from_gates():
    left, _ = plots.gates({"lstm": measured()}).axes
    assert [text.get_text() for text in left.texts] == ["below 0: g alone, no gate, −1 to 1"]
    filled = [band.get_facecolor().size > 0 and band.get_facecolor()[0][3] > 0 for band in left.collections]
    assert filled == [False, True, False, False], "one fill, that of f, which keeps c"


def test_without_units_the_plot_says_so():
    assert "units were not measured" in words(drawn(plots.units({"x": report(h=[0.1, 1.0])})))


def test_the_bars_are_the_contributions_and_the_line_what_is_gathered():
    found = report(h=[0.1, 0.2, 0.4], weight=[0.0, 1.0, 3.0])
    bars, gathered = drawn(plots.contributions({"x": found})).axes
    assert {bar.get_x() + bar.get_width() / 2: bar.get_height() for bar in bars.patches} == {0: 0.75, 1: 0.25}
    assert line(bars, "_0").get_xdata().tolist() == [2, 2]
    assert gathered.get_lines()[0].get_ydata().tolist() == [0.75, 1.0, 1.0]
    assert bars.get_yscale() == "log"
    assert gathered.get_yscale() == "linear"


@pytest.mark.parametrize("sizes", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_contributions_that_are_zero_or_not_finite_can_be_drawn(sizes):
    drawn(plots.contributions({"x": report(h=[0.1, 1.0], weight=sizes)}))


def by_hand(norms, **changes):
    facts = {"kind": "h", "layer": 0, "direction": "forward", "steps": tuple(range(len(norms)))}
    return FlowMap(**facts | changes, norms=np.array(norms))


def test_a_map_shows_each_row_relative_to_its_own_step():
    nan = np.nan
    found = by_hand([[2.0, nan, nan], [1e-3, 1.0, nan], [0.0, nan, 4.0]])
    axes = drawn(plots.loss_maps({"x": found})).axes[0]
    expected = [[0, nan, nan], [0.55, 0, nan], [nan, nan, 0]]  # places on the scale: a decade below the threshold
    np.testing.assert_allclose(np.ma.filled(axes.images[0].get_array(), nan), expected, atol=1e-12)
    marks = {marks.get_label(): marks.get_offsets().tolist() for marks in axes.collections}
    assert marks == {"0": [[0, 2]], "NaN or Inf": [[1, 2]]}


def test_a_map_of_losses_that_explode_is_not_that_of_losses_that_stay():
    stays, explodes = ([[1.0, np.nan], [size, 1.0]] for size in (0.98, 4e6))
    figure = drawn(plots.loss_maps({"stays": by_hand(stays), "explodes": by_hand(explodes)}))
    first, second = (axes.images[0] for axes in figure.axes[:2])
    assert first.get_array()[1, 0] >= 0 > second.get_array()[1, 0]
    blue, hot = (image.to_rgba(image.get_array())[1, 0] for image in (first, second))
    assert blue[2] > blue[0]
    assert hot[0] > hot[2]
    bar = figure.axes[-1]
    texts = [text.get_text() for text in bar.get_yticklabels()]
    assert texts == ["≥ 1e12", "1e7", "100", "1", "0.1", "0.01"]


def test_a_map_of_the_reverse_direction_has_its_states_on_the_other_side():
    axes = plots.loss_maps({"x": by_hand([[1.0, 0.0], [np.nan, 1.0]], direction="reverse")}).axes[0]
    marks = {marks.get_label(): marks.get_offsets().tolist() for marks in axes.collections}
    assert marks == {"0": [[1, 0]]}


def test_a_measured_map_can_be_drawn():
    h, losses = tg.tensor([[1.0], [2.0]], requires_grad=True), []
    for t in range(3):
        with tg.scope("t", t):
            h = (h * 0.1).named("h")
        losses.append(h.sum(axis=1))
    image = drawn(plots.loss_maps({"x": flow_map(losses)})).axes[0].images[0]
    np.testing.assert_allclose(image.get_array().filled(np.nan)[2], [0.5, 0.25, 0], atol=1e-6)


def test_clipping_shows_both_norms_and_the_threshold():
    made = [Update(1.0, 0.5, 0.5), Update(1.0, 8.0, 1.0), Update(1.0, np.inf, np.nan)]
    axes = drawn(plots.clipping({"x": made, "y": None}, 1.0)).axes[0]
    np.testing.assert_array_equal(line(axes, "before").get_ydata(), [0.5, 8, np.nan])
    np.testing.assert_array_equal(line(axes, "after").get_ydata(), [0.5, 1, np.nan])
    assert line(axes, "limit 1").get_ydata() == [1.0, 1.0]
    assert axes.get_title() == "x: 1 of 3 clipped"
    figure = drawn(plots.clipping({"rnn": made, "gru": made}, 1.0))
    (key,) = [handle for handle in figure.legends[0].get_lines() if handle.get_label() == "before"]
    assert key.get_color() not in {line(axes, "_before").get_color() for axes in figure.axes}, "it is of both cells"
    assert "No updates" in words(drawn(plots.clipping({}, 1.0)))


# ---- names, files, Matplotlib itself -------------------------------------------------------------------------------


NAMES = ("a$b", "$x^$", "100% $ & _", "<script>", "line\nbreak", "\\frac", "_under", "a long name " * 9)


@pytest.mark.slow
def test_any_name_can_be_drawn_as_it_is():
    found, short = measured(), report(h=[0.1, 1.0], weight=[1.0, 2.0])
    for draw in (plots.through_time, plots.attenuation, plots.gates, plots.contributions):
        figure = drawn(draw(dict.fromkeys(NAMES, short if draw is plots.contributions else found)))
        said = words(figure).replace("\\$", "$")
        assert all(name.split()[0][:20] in said for name in NAMES)
        assert inside(figure)
    drawn(plots.singular_values(dict.fromkeys(NAMES, jacobians_by_hand())))
    drawn(plots.loss_maps(dict.fromkeys(NAMES, by_hand([[1.0]]))))
    assert inside(drawn(plots.over_training({key: [(0, found)] for key in NAMES})))
    drawn(plots.clipping({key: [Update(1.0, 2.0, 1.0)] for key in NAMES}, 1.0))


def test_saving_writes_the_same_svg_and_png_each_time(tmp_path):
    contents = []
    for again in "ab":
        svg, png = plots.save(plots.through_time({"x": report(h=[0.1, 1.0])}), tmp_path / again)
        assert ElementTree.parse(svg).getroot().tag.endswith("svg")
        assert png.read_bytes().startswith(b"\x89PNG")
        contents.append((svg.read_bytes(), png.read_bytes()))
    assert contents[0] == contents[1]
    assert b"<dc:date>" not in contents[0][0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg", "b.png", "b.svg"]


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        plots.save(plots.through_time({}), tmp_path / "missing" / "x")


def test_a_users_settings_show_and_are_left_as_they_were():
    # A lecture or a paper has looks of its own: style sheets used to be overridden, which nobody wanted.
    with matplotlib.rc_context({"axes.facecolor": "#202020", "font.size": 30, "lines.linewidth": 9, "axes.grid": True}):
        axes = plots.through_time({"x": report(h=[0.1, 1.0])}).axes[0]
        assert matplotlib.rcParams["legend.fontsize"] == "medium"
    assert matplotlib.colors.to_hex(axes.get_facecolor()) == "#202020"
    assert axes.title.get_fontsize() == 30
    assert line(axes, "x").get_linewidth() == 9
    usual = plots.through_time({"x": report(h=[0.1, 1.0])}).axes[0]
    assert (usual.title.get_fontsize(), line(usual, "x").get_linewidth()) == (9, 1.5)


def test_a_style_sheet_of_matplotlib_holds_but_for_colours_with_a_meaning():
    found = {"rnn": report(h=[1e-4, 1.0]), "lstm": report(h=[0.1, 1.0])}
    usual = plots.through_time(found).axes[0]
    with matplotlib.style.context("ggplot"):
        axes = plots.through_time(found).axes[0]
    assert matplotlib.colors.to_hex(axes.get_facecolor()) == "#e5e5e5"
    for name in found:
        assert line(axes, name).get_color() == line(usual, name).get_color()


def test_matplotlib_is_loaded_when_it_is_needed_and_never_pyplot():
    program = (
        "import sys; from tinygrad_rnn.viz import plots; assert 'matplotlib' not in sys.modules; "
        "plots.through_time({}); assert 'matplotlib' in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError("no matplotlib here")
        return real(name, *rest)

    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(chart.importlib, "import_module", refuse)
    with pytest.raises(MissingToolError, match=r"no matplotlib here.*pip install 'tinygrad-rnn\[plots\]'"):
        plots.through_time({"x": report(h=[0.1, 1.0])})


# ---- looks, sizes, and panels of one's own -------------------------------------------------------------------------


def every_plot(**options):
    """Every plot, as it is drawn with these options."""
    found, both = measured(), {"lstm": measured(), "rnn": measured(cells.rnn_losses, gates=1)}
    yield plots.through_time(both, **options)
    yield plots.attenuation(both, **options)
    yield plots.contributions({"x": report(h=[0.1, 1.0], weight=[1.0, 2.0])}, **options)
    yield plots.loss_maps({"x": by_hand([[1.0, np.nan], [0.1, 1.0]])}, **options)
    yield plots.singular_values({"x": jacobians_by_hand()}, **options)
    yield plots.gates(found, **options)
    yield plots.over_training({"x": [(0, found), (3, found)]}, **options)
    yield plots.clipping({"x": [Update(1.0, 2.0, 1.0)]}, 1.0, **options)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_figure_fills_a_slide_exactly_and_all_its_words_lie_on_it(size):
    for figure in every_plot(style=Style(size=size)):
        assert tuple(figure.get_size_inches()) == SIZES[size]
        assert inside(drawn(figure, laid_out=True))


@pytest.mark.parametrize("theme", THEMES)
def test_in_every_theme_ink_and_lines_stand_out_from_the_paper(theme):
    def luminance(colour):
        return np.dot(matplotlib.colors.to_rgb(colour), [0.2126, 0.7152, 0.0722])

    paper, ink, _ = THEMES[theme]
    for figure in every_plot(style=Style(theme=theme)):
        assert matplotlib.colors.to_hex(figure.get_facecolor()) == paper
        assert {matplotlib.colors.to_hex(text.get_color()) for text in figure.texts} <= {ink}
        for axes in figure.axes:
            for each in axes.get_lines():
                assert abs(luminance(each.get_color()) - luminance(paper)) > 0.25, each.get_label()


def test_in_print_lines_are_grey():
    figure = plots.through_time({str(i): report(h=[0.1, 1.0]) for i in range(7)}, style=Style(theme="print"))
    for each in figure.axes[0].get_lines():
        assert len(set(matplotlib.colors.to_rgb(each.get_color()))) == 1


def test_legend_and_caption_can_be_left_out():
    for figure in every_plot(style=Style(legend=False)):
        assert not figure.legends
        assert figure.texts
    for figure in every_plot(style=Style(caption=False)):
        assert not figure.texts


def test_letters_have_the_size_asked_for():
    axes = plots.through_time({"x": report(h=[0.1, 1.0])}, style=Style(font=18)).axes[0]
    assert {axes.xaxis.label.get_fontsize(), axes.title.get_fontsize()} == {18}
    for figure in every_plot(style=Style(font=14)):
        assert inside(drawn(figure, laid_out=True))


def test_an_unknown_theme_or_size_is_refused():
    for wrong in ({"theme": "neon"}, {"size": "1:1"}):
        with pytest.raises(InputError, match="is unknown; use one of"):
            Style(**wrong)


def test_a_plot_can_be_drawn_on_axes_of_ones_own():
    figure = matplotlib.figure.Figure()
    left, right = figure.subplots(1, 2)
    assert plots.through_time({"x": report(h=[0.1, 1.0])}, axes=left) is figure
    assert plots.clipping({"x": [Update(1.0, 2.0, 1.0)]}, 1.0, axes=[right]) is figure
    np.testing.assert_allclose(line(left, "x").get_ydata(), [1, 0.1])
    assert left.get_legend()
    assert right.get_legend()
    assert not figure.texts
    assert not figure.legends
    with pytest.raises(InputError, match="this plot has 2 panels, so it needs as many axes and not 1"):
        plots.through_time({"x": report(h=[0.1, 1.0], c=[0.1, 1.0])}, axes=left)
    assert "Nothing is known as a state" in words(plots.through_time({}, axes=figure.add_subplot()))


def test_a_figure_can_be_restyled_and_saved_again(tmp_path):
    figure = plots.through_time({"x": report(h=[0.1, 1.0])})
    first, *_ = plots.save(figure, tmp_path / "a", ["svg"])
    line(figure.axes[0], "x").set_color("#123456")
    figure.set_size_inches(4, 3)
    again, pdf = plots.save(figure, tmp_path / "b", ["svg", "pdf"])
    assert b"#123456" in again.read_bytes()
    assert b"#123456" not in first.read_bytes()
    assert pdf.read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.pdf", "b.svg"]
    with pytest.raises(InputError, match="the format 'gif' of a plot is unknown"):
        plots.save(figure, tmp_path / "c", ["gif"])


def test_of_several_runs_there_is_the_median_in_a_band_of_quartiles():
    runs = [report(h=[size, 0.1, 1.0]) for size in (1e-5, 1e-3, 1e-2, 0.5, 0.7)]
    figure = drawn(plots.through_time({"x": runs, "y": report(h=[0.5, 0.7, 1.0])}))
    axes = figure.axes[0]
    np.testing.assert_allclose(line(axes, "x").get_ydata(), [1, 0.1, 1e-2])
    (band,) = axes.collections
    assert band.get_paths()[0].vertices[:, 1].min() == pytest.approx(1e-3)
    assert sorted(each.get_ydata()[-1] for each in axes.get_lines() if each.get_label() == "_run") == [
        pytest.approx(size) for size in (1e-5, 1e-3, 1e-2, 0.5, 0.7)
    ]
    assert "median of 5 runs" in words(figure)
    assert "quartiles" in words(figure)
    assert "quartiles" not in words(plots.through_time({"y": runs[0]}))


def test_what_float32_cannot_hold_is_not_called_0():
    small = report(h=[0.0, 1e-30, 1e-15, 1.0])
    small = dataclasses.replace(small, states=tuple(dataclasses.replace(s, dtype="float32") for s in small.states))
    axes = drawn(plots.through_time({"x": small})).axes[0]
    assert "underflow" in {text.get_text() for text in axes.texts}
    assert "too little for float32 at lag 3" in plots.PLOTS["through_time"].alt({"x": small})
