"""Gradient flow as numbers; the definitions are in `records.py`, the measuring in `meter.py`."""

from tinygrad_rnn.flow.backward import BackwardReport, backward_graph
from tinygrad_rnn.flow.decay import Decay
from tinygrad_rnn.flow.jacobians import JacobianReport, elman_bound, state_jacobians
from tinygrad_rnn.flow.maps import FlowMap, flow_map
from tinygrad_rnn.flow.meter import gradient_flow, grads_at_hand
from tinygrad_rnn.flow.records import (
    CarryFlow,
    EdgeFlow,
    FactorFlow,
    GateFlow,
    Horizon,
    NodeFlow,
    PathFlow,
    RemedyFlow,
    StateFlow,
    Statistics,
    WeightFlow,
)
from tinygrad_rnn.flow.report import FlowReport
from tinygrad_rnn.flow.sentences import verdicts
from tinygrad_rnn.flow.verdict import LaneFlow
from tinygrad_rnn.flow.why import Cause

__all__ = [
    "BackwardReport", "CarryFlow", "Cause", "Decay", "EdgeFlow", "FactorFlow", "FlowMap", "FlowReport", "GateFlow",
    "Horizon", "JacobianReport", "LaneFlow", "NodeFlow", "PathFlow", "RemedyFlow", "StateFlow", "Statistics",
    "WeightFlow", "backward_graph", "elman_bound", "flow_map", "gradient_flow", "grads_at_hand", "state_jacobians",
    "verdicts",
]  # fmt: skip


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
