"""A report beside its graph: what it keeps, what can be left out or asked for, and what is refused."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.flow.cells import example, lstm_losses, parameters, rnn_losses, tensors
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError, InputError
from tinygrad_rnn.flow import gradient_flow
from tinygrad_rnn.flow.survey import look_over

close = pytest.approx

PARTS = ("nodes", "edges", "links", "crossings", "states", "weights", "notes", "gates", "paths", "factors", "carries")


def losses_of(seed=0, steps=5):
    x, readout = example(steps=steps)
    return lstm_losses(tensors(parameters(2, 3, 4, seed)), x, readout)


def text_of(report):
    """All that a report says, with every number in full."""
    with np.printoptions(threshold=10**6, precision=17):
        return {part: str(getattr(report, part)) for part in PARTS}


# ---- the graph may go -----------------------------------------------------------------------------------------------


def test_a_report_is_the_same_after_backward_freed_the_graph_and_after_its_names_changed():
    losses = losses_of()
    before, after = (gradient_flow(losses, statistics=True) for _ in range(2))
    expected = text_of(before)
    nodes = list(look_over(losses._node)[1])
    losses.sum().backward()
    for node in nodes:
        node.set_name(0, "other")
    assert text_of(after) == expected


def test_a_report_keeps_no_node_of_the_graph_alive():
    losses = losses_of()
    report = gradient_flow(losses, statistics=True)
    gone = [weakref.ref(node) for node in look_over(losses._node)[1]]
    gc.collect()
    gc.disable()
    try:
        del losses
        assert not any(node() for node in gone)
        assert len(report.nodes) == len(gone)
        assert report.verdict is not None
    finally:
        gc.enable()


def test_a_report_cannot_be_changed_and_says_in_short_what_it_found():
    report = gradient_flow(losses_of())
    with pytest.raises(AttributeError):
        report.threshold = 0.5
    assert repr(report).startswith("FlowReport(5 steps, batch=4, loss=")
    assert "verdict='" in repr(report)
    assert "no states" in repr(gradient_flow(tg.ones(2, requires_grad=True) * 2.0))


# ---- without edges --------------------------------------------------------------------------------------------------


def hoisted():
    tg.manual_seed(0)
    net = nn.GRU(2, 3, num_layers=2, bidirectional=True, dtype="float64")
    output, _ = net(tg.randn(5, 4, 2, dtype="float64"))
    return output.square().sum(axis=(0, 2))


@pytest.mark.parametrize("losses", [losses_of, hoisted])
def test_without_edges_the_sizes_at_nodes_are_the_same_and_the_rest_is_not_measured(losses):
    losses = losses()
    full, nodes = gradient_flow(losses), gradient_flow(losses, edges=False)
    for few, many in zip(nodes.nodes, full.nodes, strict=True):
        assert (few.name, few.norm) == (many.name, many.norm and close(many.norm, rel=1e-12))
    assert {edge.norm for edge in nodes.edges} == {link.norm for link in nodes.links} == {None}
    assert [(e.child, e.position, e.parent) for e in nodes.edges] == [
        (e.child, e.position, e.parent) for e in full.edges
    ]
    assert nodes.crossings == {}
    assert nodes.paths == nodes.factors == ()
    for name, weight in full.weights.items():
        assert nodes.weights[name].total == close(weight.total, rel=1e-12)
        assert nodes.weights[name].per_step is None
        assert nodes.weights[name].running is None
    for few, many in zip(nodes.states, full.states, strict=True):
        assert few.norms.tolist() == many.norms.tolist()


def test_without_edges_there_may_still_be_statistics():
    losses = losses_of()
    few, full = gradient_flow(losses, edges=False, statistics=True), gradient_flow(losses, statistics=True)
    assert few.nodes == full.nodes
    assert str(few.gates) == str(full.gates)
    assert str(few.carries) == str(full.carries)


# ---- statistics -----------------------------------------------------------------------------------------------------


def statistics_of(values):
    low, high = np.quantile(values, (0.1, 0.9))
    return [values.mean(), values.std(), low, high, values.min(), values.max()]


def numbers(statistics):
    return [getattr(statistics, name) for name in ("mean", "std", "low", "high", "minimum", "maximum")]


def test_statistics_are_those_of_the_values_and_of_the_gradients_of_the_losses_of_examples():
    x, readout = example()
    p = tensors(parameters(2, 3, 1))
    losses = rnn_losses(p, x, readout)
    report = gradient_flow(losses, statistics=True)
    nodes = {at: node for node, at in look_over(losses._node)[1].items()}
    for at, flow in enumerate(report.nodes):
        output = tg.Tensor._from_edge(nodes[at], 0)
        assert numbers(flow.values) == close(statistics_of(output.numpy()), rel=1e-12, abs=1e-15)
        if not flow.requires_grad:
            assert flow.gradients is None
            continue
        grad = tg.grad(losses.sum(), output).numpy()  # of example b: dL_b/dn, since examples do not mix
        if flow.parameter:
            grad = grad / 4
        assert numbers(flow.gradients) == close(statistics_of(grad), rel=1e-9, abs=1e-15)


def test_nodes_have_no_statistics_unless_asked_for():
    assert {(n.values, n.gradients) for n in gradient_flow(losses_of()).nodes} == {(None, None)}


def test_of_several_outputs_the_first_is_described_by_its_values_only():
    x = tg.tensor([1.0, 2.0, 3.0, 4.0], dtype="float64", requires_grad=True)
    a, b = x.split(2)
    split = gradient_flow((a * b).sum(), statistics=True).node("split")
    assert numbers(split.values) == [1.5, 0.5, close(1.1), close(1.9), 1.0, 2.0]
    assert split.gradients is None


@pytest.mark.parametrize("values", [[], [1.0, np.nan]], ids=["nothing", "nan"])
def test_statistics_of_nothing_and_of_nan_are_nan(values):
    data = tg.tensor(np.array(values))
    report = gradient_flow((data * tg.ones(1, dtype="float64", requires_grad=True)).sum(), statistics=True)
    (found,) = [node for node in report.nodes if node.op is None and not node.requires_grad]
    assert np.isnan(numbers(found.values)).all()


def test_statistics_of_whole_numbers_and_infinities():
    data = tg.tensor([3, 1, 2])
    scale = tg.tensor([1.0, np.inf, -1.0], dtype="float64", requires_grad=True)
    report = gradient_flow((data.cast("float64") * scale).sum(), statistics=True)
    found = {node.op or node.label or node.requires_grad: node for node in report.nodes}
    assert numbers(found[False].values) == close([2.0, (2 / 3) ** 0.5, 1.2, 2.8, 1.0, 3.0])
    infinite = found[True].values
    assert (infinite.mean, infinite.minimum, infinite.maximum) == (np.inf, -1.0, np.inf)
    assert np.isnan(infinite.std)


# ---- what crosses between steps -------------------------------------------------------------------------------------


def test_messages_that_cross_together_are_added_before_their_size_is_taken():
    w = tg.tensor(np.array([[0.5, -0.3], [0.2, 0.8]]), requires_grad=True)
    h = tg.ones(3, 2, dtype="float64")
    states = []
    for t in range(3):
        with tg.scope("t", t):
            h = ((h @ w).tanh() - h * 0.5).named("h")
            states.append(h)
    losses = (states[0] + states[1] + states[2]).square().sum(axis=1)
    report = gradient_flow(losses)
    names = [node.name for node in report.nodes]
    total = tg.grad(losses.sum(), states)
    direct = tg.grad(losses.sum(), states[2]).numpy()  # what each state gets from the losses themselves
    for t in (0, 1):
        crossed = total[t].numpy() - direct
        assert report.crossings[names.index(f"t{t}_h"), t + 1] == close(np.linalg.norm(crossed) / 3**0.5, rel=1e-12)


def test_what_crosses_into_several_outputs_of_one_node_counts_together():
    x = tg.tensor(np.arange(5.0), requires_grad=True)
    with tg.scope("t", 0):
        few, many = x.split([2, 3])
    with tg.scope("t", 1):
        y = few.sum() * 3.0 + few.sum() + many.sum() * 2.0
    report = gradient_flow(y)
    (size,) = report.crossings.values()
    assert size == close(np.sqrt(2 * 4**2 + 3 * 2**2))


def test_what_crosses_is_added_up_also_where_one_of_the_messages_never_comes():
    class Silent(tg.Op):
        name = "silent"

        @staticmethod
        def forward(backend, x):
            return x.copy()

        @staticmethod
        def vjp(node, g):
            return (None,)

    x = tg.tensor(np.arange(4.0), requires_grad=True)
    with tg.scope("t", 0):
        h = x * 2.0
    with tg.scope("t", 1):
        y = h * 3.0 + h * 4.0 + tg.apply(Silent, h)
    (size,) = gradient_flow(y.sum()).crossings.values()
    assert size == close(7 * 4**0.5)


# ---- layers whose inputs are multiplied at once ---------------------------------------------------------------------


@pytest.mark.parametrize("bidirectional", [False, True])
def test_links_of_stacked_layers_do_not_grow_with_the_square_of_the_steps(bidirectional):
    def count(steps):
        net = nn.LSTM(2, 3, num_layers=2, bidirectional=bidirectional)
        return len(gradient_flow(net(tg.zeros(steps, 1, 2))[0][-1].sum(axis=1)).links)

    assert count(12) - count(8) == count(8) - count(4)


def test_what_a_layer_gets_from_the_one_above_comes_through_one_node():
    tg.manual_seed(0)
    net = nn.RNN(2, 3, num_layers=2, dtype="float64")
    output, _ = net(tg.randn(5, 4, 2, dtype="float64"))
    report = gradient_flow(output.square().sum(axis=(0, 2)))
    names = [node.name for node in report.nodes]
    links = {(names[e.child], names[e.parent]): e.norm for e in report.links}
    above = {parent: size for (child, parent), size in links.items() if child == "layer1_unbind"}
    assert set(above) == {f"t{t}_layer0_h" for t in range(5)}
    assert above["t4_layer0_h"] == close(report.node("t4_layer0_h").norm, rel=1e-12), "nothing else reads the last"
    assert {parent for child, parent in links if child == "t2_layer1_h"} == {"t1_layer1_h", "layer1_unbind"}


def test_links_lead_to_what_is_named_among_the_parameters_on_the_scale_of_parameters():
    w = tg.tensor(np.array([[0.5, -0.3], [0.2, 0.8]]), requires_grad=True)
    x = tg.tensor(np.arange(6.0).reshape(3, 2))
    report = gradient_flow(((x @ w.T.named("turned")).tanh() * 2.0).sum(axis=1))
    names = [node.name for node in report.nodes]
    links = {(names[e.child], names[e.parent]): e.norm for e in report.links}
    assert links["loss", "turned"] == close(report.node("turned").norm, rel=1e-12)
    assert links["loss", "turned"] > 0


# ---- bad input ------------------------------------------------------------------------------------------------------


def test_what_is_no_tensor_is_refused_with_what_to_pass():
    losses = [tg.ones(3, requires_grad=True)] * 2
    with pytest.raises(InputError, match=r"not a list of 2; losses of several steps.*tg.stack\(losses\).sum\(axis=0\)"):
        gradient_flow(losses)
    with pytest.raises(InputError, match=r"pass one tensor, the losses of the examples, shape \(B,\).* not a float"):
        gradient_flow(1.0)
    with pytest.raises(TypeError):
        gradient_flow(losses[0], 0.01, False)


def test_a_graph_freed_before_is_refused_and_nothing_is_left_behind():
    losses = losses_of()
    losses.sum().backward()
    with pytest.raises(GraphError, match="nothing left to measure"):
        gradient_flow(losses, edges=False)


def test_a_message_that_never_comes_leaves_the_running_sums_right():
    class Wall(tg.Op):
        forward = staticmethod(lambda backend, x: backend.binary("mul", x, x))
        vjp = staticmethod(lambda node, g: (None,))

    rng = np.random.default_rng(0)
    w = tg.tensor(rng.normal(size=(3, 3)), requires_grad=True).named("w")
    copies = [tg.tensor(w.numpy(), requires_grad=True) for _ in range(4)]
    xs = [tg.tensor(rng.normal(size=(2, 3))) for _ in range(4)]

    def losses(weights):
        h = tg.zeros(2, 3, dtype="float64")
        for t, x in enumerate(xs):
            with tg.scope("t", t):
                walled = tg.apply(Wall, x @ weights[t]) if t == 3 else 0.0
                h = (h @ weights[t] + x @ weights[t] + walled).tanh().named("h")
        return h.sum(axis=1)

    parts = [part.numpy() for part in tg.grad(losses(copies).mean(), copies)]
    wanted = [np.linalg.norm(sum(parts[t:])) for t in range(4)]
    np.testing.assert_allclose(gradient_flow(losses([w] * 4)).weights["w"].running, wanted, rtol=1e-12)


def test_steps_may_be_numbered_with_gaps():
    cell = nn.LSTMCell(3, 4, dtype="float64")
    state = None
    for t in (0, 2, 4):
        with tg.scope("t", t):
            state = cell(tg.ones(2, 3, dtype="float64"), state)
    paths = gradient_flow(state[0].sum(axis=1)).paths
    assert {(path.child, path.parent) for path in paths} == {("c", "c"), *[(gate, "h") for gate in "ifgo"]}
    assert all(path.steps == (2, 4) for path in paths)
