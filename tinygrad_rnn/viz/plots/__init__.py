"""Plots of gradient flow: functions that return a `matplotlib.figure.Figure`, and `save`. They need the extra `plots`.

Each takes what was measured by the name of the cell, or one measurement alone; None says that it was not measured.
Matplotlib's style sheets hold; `style=Style(theme="dark", size="16:9")` changes the looks of one figure. With
`axes=`, as many as the plot has panels, it draws on a figure of yours and writes nothing around them.

`PLOTS` has the same plots with their words: `PLOTS["gates"].sentences(report)`, `.alt(report)`, `.draw(report)`.

>>> import tinygrad_rnn as tg
>>> from tinygrad_rnn import nn, viz
>>> from tinygrad_rnn.viz import plots
>>> outputs, _ = nn.GRU(2, 3).unroll(tg.randn(5, 1, 2))
>>> report = viz.gradient_flow(outputs[-1].sum(axis=1), statistics=True)
>>> plots.PLOTS["gates"].sentences({"gru": report})[0].startswith("gru: the gate r is")
True
"""

from tinygrad_rnn.viz.plots.alignment import alignment
from tinygrad_rnn.viz.plots.attenuation import attenuation
from tinygrad_rnn.viz.plots.chart import paper_of, rendered, require_matplotlib, save
from tinygrad_rnn.viz.plots.clipping import clipping
from tinygrad_rnn.viz.plots.conflict import conflict
from tinygrad_rnn.viz.plots.contributions import contributions
from tinygrad_rnn.viz.plots.curves import curves
from tinygrad_rnn.viz.plots.entry import Entry, Plot
from tinygrad_rnn.viz.plots.error_curve import error_curve
from tinygrad_rnn.viz.plots.forecast import forecast
from tinygrad_rnn.viz.plots.gates import gates
from tinygrad_rnn.viz.plots.gaze import gaze
from tinygrad_rnn.viz.plots.loss_maps import loss_maps
from tinygrad_rnn.viz.plots.over_training import over_training
from tinygrad_rnn.viz.plots.singular_values import singular_values
from tinygrad_rnn.viz.plots.table import PLOTS
from tinygrad_rnn.viz.plots.through_time import through_time
from tinygrad_rnn.viz.plots.units import units
from tinygrad_rnn.viz.styles import Style

__all__ = [
    "PLOTS", "Entry", "Plot", "Style", "alignment", "attenuation", "clipping", "conflict", "contributions", "curves",
    "error_curve", "forecast", "gates", "gaze", "loss_maps", "over_training", "paper_of", "rendered",
    "require_matplotlib", "save", "singular_values", "through_time", "units",
]  # fmt: skip
