"""The table of plots, in the order in which a sheet shows them: a new one is a file and a line here."""

from tinygrad_rnn.viz.plots.attenuation import PLOT as ATTENUATION
from tinygrad_rnn.viz.plots.clipping import PLOT as CLIPPING
from tinygrad_rnn.viz.plots.contributions import PLOT as CONTRIBUTIONS
from tinygrad_rnn.viz.plots.gates import PLOT as GATES
from tinygrad_rnn.viz.plots.loss_maps import PLOT as LOSS_MAPS
from tinygrad_rnn.viz.plots.over_training import PLOT as OVER_TRAINING
from tinygrad_rnn.viz.plots.singular_values import PLOT as SINGULAR_VALUES
from tinygrad_rnn.viz.plots.through_time import PLOT as THROUGH_TIME
from tinygrad_rnn.viz.plots.units import PLOT as UNITS

PLOTS = {
    plot.name: plot
    for plot in (
        UNITS, THROUGH_TIME, ATTENUATION, CONTRIBUTIONS, LOSS_MAPS, SINGULAR_VALUES, GATES, OVER_TRAINING, CLIPPING,
    )
}  # fmt: skip
