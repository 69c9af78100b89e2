"""A trained model in a file, with all that is needed to continue its training or to use it."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from tinygrad_rnn import optim, serialization
from tinygrad_rnn.engine.creation import default_generator
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, StateError, TinygradError
from tinygrad_rnn.train.models import MODELS, Model

FORMAT = "tinygrad_rnn.model/1"
#: The optimizers that a file can bring along. One of your own you make yourself.
OPTIMIZERS: dict[str, type[optim.Optimizer]] = {
    kind.__name__: kind for kind in (optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW)
}


@dataclass(frozen=True)
class Checkpoint:
    """A model and where its training stands.

    Attributes:
        model: with the parameters it had.
        optimizer_state: for `Optimizer.load_state_dict`.
        settings: whatever was saved with it, as JSON holds it.
        training: the optimizer's class and options, and where the default random generator stood; `resume` uses it.
    """

    model: Model
    optimizer_state: dict[str, Tensor]
    settings: dict[str, Any]
    training: dict[str, Any]

    def resume(self) -> optim.Optimizer:
        """Return the optimizer over the model's parameters, and put the default random generator back where it stood.

        Training then goes on as if it had never stopped, dropout included.

        Raises:
            InputError: the file does not say which optimizer, or it is not one of this library. Nothing was changed
                then.

        >>> import tempfile
        >>> from tinygrad_rnn import optim
        >>> from tinygrad_rnn.tasks import AddingTask
        >>> from tinygrad_rnn.train import SequenceModel, fit, load_checkpoint, save_checkpoint
        >>> model, task = SequenceModel("gru", 2, 4, 1, num_layers=2, dropout=0.5), AddingTask(6)
        >>> adam = optim.Adam(model.parameters(), lr=0.02)
        >>> for _ in fit(model, task, adam, updates=3, batch=4): pass
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_checkpoint(f"{folder}/m", model, adam, {"updates": 3})
        ...     found = load_checkpoint(f"{folder}/m")
        >>> adam = found.resume()
        >>> len(list(fit(found.model, task, adam, updates=5, batch=4, first=found.settings["updates"])))
        2
        """
        try:
            options = dict(self.training["optimizer"])
            kind = options.pop("kind")
            if kind not in OPTIMIZERS:
                raise StateError(f"its optimizer {kind!r} is none of {', '.join(OPTIMIZERS)}")
            optimizer = OPTIMIZERS[kind](self.model.parameters(), lr=0.0, **options)
            optimizer.load_state_dict(self.optimizer_state)
            default_generator.load_state_dict(self.training["random"])
        except (KeyError, TypeError, ValueError, TinygradError) as error:
            raise InputError(f"the checkpoint lacks what is needed to continue: {_one_line(error)}") from None
        return optimizer


def save_checkpoint(
    path: str | PathLike[str], model: Model, optimizer: optim.Optimizer, settings: Mapping[str, Any]
) -> None:
    """Write a model to a safetensors file, which appears whole or not at all.

    With it go the optimizer (class, options, state) and where the default random generator stands.

    Args:
        settings: anything JSON can hold, such as the task and the number of updates made.

    Raises:
        InputError: the file cannot be written, or the settings hold what JSON cannot.
    """
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    state |= {f"optimizer.{name}": value for name, value in optimizer.state_dict().items()}
    random = {name: value.item() for name, value in default_generator.state_dict().items()}
    training = {"optimizer": optimizer.config(), "random": random}
    about = {"kind": model.kind, "model": model.config(), "settings": dict(settings), "training": training}
    # One text, as safetensors puts several in a different order each time.
    serialization.save(path, state, {FORMAT: json.dumps(about, default=_plain)})


def load_checkpoint(path: str | PathLike[str], device: str = "cpu") -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Args:
        device: where the model shall be, wherever it was when it was saved.

    Raises:
        InputError: there is no such file, or it is not such a file.
        DeviceError: there is no such device here.
    """
    text = serialization.load_metadata(path).get(FORMAT)
    if text is None:
        raise InputError(f"{path} is not a model written by `tinygrad-rnn train`; make one with that command")
    state = serialization.load(path)
    try:
        about = json.loads(text)
        settings, training = dict(about["settings"]), dict(about.get("training", {}))
        kind = MODELS[about.get("kind", "sequence")]
        config: dict[str, Any] = {"dropout": 0.0, **about["model"]}
        _check(kind, config, parameters := _part(state, "model."))
        model = kind.restored(config, parameters)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, TinygradError) as error:
        raise InputError(f"{path} is damaged ({_one_line(error)}); train the model again") from None
    return Checkpoint(model.to(device), _part(state, "optimizer."), settings, training)


def _check(kind: type[Model], config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Make sure that what the file says of the model fits the tensors in it, before a model of that size is made."""
    if wrong := sorted(kind.settings.keys() ^ config.keys()):
        raise StateError(f"missing or unknown: {', '.join(wrong)}")
    for name, expected_type in kind.settings.items():
        value = config[name]
        if type(value) is not expected_type or (isinstance(value, int) and value < 1):
            raise StateError(f"{name} is {reprlib.repr(value)}")
    layers: int = config["num_layers"]
    if layers > len(state):
        raise StateError(f"{layers} layers, but {len(state)} tensors")
    expected = kind.shapes(config)
    for name in sorted(expected.keys() | state.keys()):
        found = state[name].shape if name in state else "missing"
        if found != expected.get(name):
            raise StateError(f"{name} is {found}, and would be {expected.get(name, 'unknown')} in the model described")
        if state[name].dtype != config["dtype"]:
            raise StateError(f"{name} is {state[name].dtype}, the model {config['dtype']}")


def _plain(value: Any) -> Any:
    """Return a number of NumPy as one of Python, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise InputError(f"save_checkpoint: the settings hold {value!r}, which is nothing that JSON can hold")


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return " ".join(lines[:2]) if lines else type(error).__name__


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
