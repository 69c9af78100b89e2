"""States and gates are known by their roles; by the letters h and c only where nothing has a role."""

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.engine.modes import naming
from tinygrad_rnn.flow import flow_map, gradient_flow, state_jacobians

STEPS = 4


def losses_of(name_state, name_gate, gate_scope="keep_gate"):
    """Return the losses of a gated network of one's own, whose state and gate are named by two functions."""
    w = tg.tensor([[0.5, 0.25], [-0.5, 1.0]], dtype="float64", requires_grad=True)
    s = tg.ones(3, 2, dtype="float64")
    for t in range(STEPS):
        with tg.scope("t", t):
            with tg.scope(gate_scope):
                k = name_gate((s @ w).sigmoid())
            s = name_state(k * s + 0.5)
    return s.sum(axis=1)


def roles_of(report):
    return {node.label: node.role for node in report.nodes if node.label and node.step is not None}


def test_a_state_may_be_called_anything():
    losses = losses_of(lambda x: x.named("s", role="state"), lambda x: x.named("k", role="gate"))
    report = gradient_flow(losses, statistics=True)
    usual = gradient_flow(losses_of(lambda x: x.named("h"), lambda x: x.named("k")), statistics=True)
    assert roles_of(report) == {"s": "state", "k": "gate"}
    assert roles_of(usual) == {"h": "state", "k": "gate"}
    assert [state.kind for state in report.states] == ["s"]
    assert report.states[0].norms.tolist() == usual.states[0].norms.tolist()
    assert report.verdict == usual.verdict
    assert report.horizon.state == "s"
    assert report.reference == ("s_T", usual.reference[1])
    assert [gate.label for gate in report.gates] == [gate.label for gate in usual.gates] == ["k"]
    assert report.gates[0].mean.tolist() == usual.gates[0].mean.tolist()
    assert [(path.child, path.parent) for path in report.paths] == [("k", "s"), ("s", "s")]
    assert [(carry.kind, carry.gate) for carry in report.carries] == [("s", "k")]
    assert report.to_dict()["states"] == {"s": usual.to_dict()["hidden_grad"]}
    assert state_jacobians(losses).kinds == ("s",)
    assert viz.draw(report).source.count('"t3_s"') > 1


def test_letters_count_for_nothing_once_something_has_a_role():
    report = gradient_flow(losses_of(lambda x: x.named("s", role="state"), lambda x: x.named("h")))
    assert roles_of(report) == {"s": "state", "h": None}
    assert [state.kind for state in report.states] == ["s"]


def test_a_map_of_losses_follows_the_state_by_its_role():
    s, losses = tg.tensor([[1.0], [2.0]], requires_grad=True), []
    for t in range(3):
        with tg.scope("t", t):
            s = (s * 0.5).named("s", role="state")
        losses.append(s.sum(axis=1))
    assert (flow_map(losses).kind, flow_map(losses).norms[2].tolist()) == ("s", [0.25, 0.5, 1.0])


def test_a_gate_without_a_name_is_noted_with_what_to_write():
    report = gradient_flow(losses_of(lambda x: x.named("h"), lambda x: x, gate_scope="forget_gate"))
    (note,) = report.notes
    assert "the gate in scope 'forget_gate' has no name" in note
    assert ".named('f', role='gate')" in note
    assert gradient_flow(losses_of(lambda x: x.named("h"), lambda x: x.named("f"))).notes == ()


def test_names_given_inside_a_cell_get_their_roles_from_it():
    x = tg.ones(2, requires_grad=True)
    with naming({"s": "state", "k": "gate"}):
        s, other = (x * 2).named("s"), (x * 3).named("other")
        with naming({}):
            inside = (x * 4).named("s")
        said = (x * 5).named("k", role="state")
    after = (x * 6).named("s")
    roles = [tensor.edge[0].roles.get(0) for tensor in (s, other, inside, said, after)]
    assert roles == ["state", None, None, "state", None]


def test_a_cell_s_roles_do_not_leak_when_its_step_fails():
    with pytest.raises(ZeroDivisionError), naming({"s": "state"}):
        raise ZeroDivisionError
    assert (tg.ones(1, requires_grad=True) * 2).named("s").edge[0].roles == {}
