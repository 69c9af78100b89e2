"""What the changes that a cell suggests would do to the gradient: each made to a copy of the model, and measured.

What changes training itself is in `train.cures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tinygrad_rnn.engine.creation import tensor
from tinygrad_rnn.flow import FlowReport, RemedyFlow, gradient_flow
from tinygrad_rnn.nn import CELLS, Remedy, RNNCell, parse_cell
from tinygrad_rnn.tasks import Task
from tinygrad_rnn.train.loop import MEASURED
from tinygrad_rnn.train.models import Model


def remedies_of(model: Model, task: Task, batch: int, seed: int = 0, threshold: float = 0.01) -> tuple[RemedyFlow, ...]:
    """Measure what the gradient would do after each change that the model's cell suggests, nothing else being changed.

    The weights stay those of the model, in a copy of it, and the batch is the one that `measure` takes. With several
    layers a change is made in all of them. It costs one walk for each, without messages along edges but
    for Elman's cell, where these tell what each op then does.

    Returns:
        Of every change of `Cell.remedies` what becomes of the gradient, in its order; () if the cell suggests none.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.tasks import AddingTask
    >>> from tinygrad_rnn.train import SequenceModel, remedies_of
    >>> tg.manual_seed(0)
    >>> model = SequenceModel("gru", 2, 4, 1, dtype="float64")
    >>> mildest, *_, strongest = remedies_of(model, AddingTask(steps=20), batch=3)
    >>> mildest.what
    'the bias of the update gate z raised by 1'
    >>> mildest.left < strongest.left
    True
    """
    drawn = task.measured(batch, (seed, MEASURED), model.dtype).to(model.device)
    found = []
    for what, layers in _in_all_layers(model):
        changed = _changed(model, layers)
        losses = task.last_losses(changed.measured(drawn, changed.initial_state(batch))[-1], drawn)
        single = isinstance(changed.last_cell, RNNCell)  # its only way leads through all its ops
        found.append(_flow(what, gradient_flow(losses, threshold, edges=single, links=False)))
    return tuple(found)


def _in_all_layers(model: Model) -> Iterator[tuple[str, Mapping[tuple[str, int], Remedy]]]:
    """Yield each change that the cells of all layers suggest, with what it is in every layer of every part."""
    known = CELLS[parse_cell(model.cell_name).name].options
    places = [(part, layer) for part, layers in model.recurrent.items() for layer in range(layers.num_layers)]
    suggested = {
        (part, layer): {remedy.what: remedy for remedy in model.recurrent[part].cell(layer).remedies()}
        for part, layer in places
    }
    for what, remedy in suggested[places[0]].items():
        if remedy.options.keys() <= known.keys() and all(what in found for found in suggested.values()):
            yield what, {place: found[what] for place, found in suggested.items()}


def _changed(model: Model, layers: Mapping[tuple[str, int], Remedy]) -> Model:
    """Return a copy of a model with a change made to every layer."""
    spec = parse_cell(model.cell_name)
    options: Mapping[str, object] = dict(spec.options) | dict(next(iter(layers.values())).options)
    state = dict(model.state_dict())
    for (part, layer), remedy in layers.items():
        for name, value in remedy.values.items():
            state[f"{part}.{name}_l{layer}"] = tensor(value, model.dtype)
    config = model.config() | {"cell": parse_cell(spec.name, options).text}
    return model.restored(config, state, model.device).train(model.training)


def _flow(what: str, report: FlowReport) -> RemedyFlow:
    horizon, decay = report.horizon, report.decay
    state = report.state(horizon.state) if horizon else None
    cause = next((cause for cause in report.causes() if state and cause.kind == state.kind), None)
    return RemedyFlow(
        what=what,
        verdict=report.verdict,
        state=state.kind if state else None,
        horizon=horizon.steps if horizon else None,
        per_step=decay.per_step if decay else None,
        lag=decay.lag if decay else None,
        left=state.relative(len(state.norms) - 1) if state else None,
        loss=report.loss,
        largest=report.largest,
        factors=cause.factors if cause else (),
    )
