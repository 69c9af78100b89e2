"""Plots of gradient flow: functions that return a `matplotlib.figure.Figure`, and `save`. They need the extra `plots`.

Each takes what was measured by the name of the cell, or one measurement alone. None says that it was not measured.
"""

from tinygrad_rnn.viz.plots.causes import attenuation, gates, singular_values
from tinygrad_rnn.viz.plots.chart import require_matplotlib, save
from tinygrad_rnn.viz.plots.decay import Decay, decay
from tinygrad_rnn.viz.plots.through_time import loss_maps, over_training, through_time
from tinygrad_rnn.viz.plots.weights import clipping, contributions

__all__ = [
    "Decay", "attenuation", "clipping", "contributions", "decay", "gates", "loss_maps", "over_training",
    "require_matplotlib", "save", "singular_values", "through_time",
]  # fmt: skip
