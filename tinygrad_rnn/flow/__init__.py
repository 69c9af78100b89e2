"""Gradient flow as numbers; the definitions are in `report.py`, the measuring in `measure.py`."""

from tinygrad_rnn.flow.measure import gradient_flow, grads_at_hand
from tinygrad_rnn.flow.report import EdgeFlow, FlowReport, Horizon, NodeFlow, StateFlow, WeightFlow

__all__ = [
    "EdgeFlow", "FlowReport", "Horizon", "NodeFlow", "StateFlow", "WeightFlow", "gradient_flow", "grads_at_hand",
]  # fmt: skip
