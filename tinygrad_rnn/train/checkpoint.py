"""A trained model in a file, with all that is needed to continue its training or to use it."""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn import __version__, optim, serialization
from tinygrad_rnn.engine.creation import default_generator
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, StateError, TinygradError
from tinygrad_rnn.optim.optimizer import groups_of
from tinygrad_rnn.train.models import MODELS, Model

FORMAT = "tinygrad_rnn.model/1"
#: Where a run keeps its checkpoints, and how their names end.
CHECKPOINTS, SUFFIX = "checkpoints", ".safetensors"
#: The optimizers that a file can bring along. One of your own you make yourself.
OPTIMIZERS: dict[str, type[optim.Optimizer]] = {
    entry.optimizer.__name__: entry.optimizer for entry in optim.OPTIMIZERS.values()
}


@dataclass(frozen=True)
class Checkpoint:
    """A model and where its training stands.

    Attributes:
        model: with the parameters it had.
        optimizer_state: for `Optimizer.load_state_dict`.
        settings: whatever was saved with it, as JSON holds it.
        training: the optimizer's class and options, and where the default random generator stood; `resume` uses it.
        version: of the library that wrote it; empty if the file does not say.
    """

    model: Model
    optimizer_state: dict[str, Tensor]
    settings: dict[str, Any]
    training: dict[str, Any]
    version: str = ""

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
            named = dict(self.model.named_parameters())
            parameters: list[Any] = [named[name] for name in self.training.get("order", named)]
            if "groups" in options:
                parameters = groups_of(parameters, 1.0, options.pop("groups"))
            optimizer = OPTIMIZERS[kind](parameters, lr=1.0, **options)
            optimizer.load_state_dict(self.optimizer_state)
            default_generator.load_state_dict(self.training["random"])
        except (KeyError, TypeError, ValueError, TinygradError) as error:
            raise InputError(f"the checkpoint lacks what is needed to continue: {_one_line(error)}") from None
        return optimizer


def save_checkpoint(
    path: str | PathLike[str], model: Model, optimizer: optim.Optimizer, settings: Mapping[str, Any]
) -> None:
    """Write a model to a safetensors file, which appears whole or not at all.

    With it go the state that a stateful training carries on, the optimizer (class, options, state), where the default
    random generator stands, the version of this library, and a checksum of all numbers.

    Args:
        settings: anything JSON can hold, such as the task and the number of updates made: with the seed, that is also
            where the training stands in its data.

    Raises:
        InputError: the file cannot be written, the settings hold what JSON cannot, or the optimizer has parameters of
            something else.
    """
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    state |= {f"optimizer.{name}": value for name, value in optimizer.state_dict().items()}
    state |= {f"carried.{name}": value for name, value in model.carried().items()}
    random = {name: value.item() for name, value in default_generator.state_dict().items()}
    training: dict[str, Any] = {"optimizer": optimizer.config(), "random": random}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    order = [names.get(id(parameter), "") for parameter in optimizer.params]
    if "" in order:
        raise InputError(
            "save_checkpoint: the optimizer has parameters that are none of the model's; make it over the model's alone"
        )
    if order != list(names.values()):
        training["order"] = order
    about = {
        "kind": model.kind,
        "model": model.config(),
        "settings": dict(settings),
        "training": training,
        "version": __version__,
        "sha256": _sha256(state),
    }
    # One text, as safetensors puts several in a different order each time.
    serialization.save(path, state, {FORMAT: json.dumps(about, default=_plain)})


def load_checkpoint(path: str | PathLike[str], device: str = "cpu") -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Args:
        path: a file, or the folder of a run, of which it is the newest checkpoint.
        device: where the model shall be, wherever it was when it was saved.

    Raises:
        InputError: there is no such file, or it is not such a file.
        DeviceError: there is no such device here.
    """
    path = newest(path) if Path(path).is_dir() else path
    text = serialization.load_metadata(path).get(FORMAT)
    if text is None:
        raise InputError(f"{path} is not a model written by `save_checkpoint`, as a Trainer and its command do")
    state = serialization.load(path)
    try:
        about = json.loads(text)
        if about.get("sha256", found := _sha256(state)) != found:
            raise StateError("its numbers are not those that were written")
        settings, training = dict(about["settings"]), dict(about.get("training", {}))
        kind = MODELS[about.get("kind", "sequence")]
        config: dict[str, Any] = {**kind.defaults, **about["model"]}
        _check(kind, config, parameters := _part(state, "model."))
        model = kind.restored(config, parameters)
        if carried := _part(state, "carried."):
            model.carry(carried)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, TinygradError) as error:
        raise InputError(f"{path} is damaged ({_one_line(error)}); train the model again") from None
    return Checkpoint(model.to(device), _part(state, "optimizer."), settings, training, str(about.get("version", "")))


def checkpoints(folder: str | PathLike[str]) -> list[Path]:
    """Return the checkpoints in the folder of a run, the oldest first: their names are the numbers of updates made."""
    return sorted(Path(folder, CHECKPOINTS).glob(f"[0-9]*{SUFFIX}"))


def newest(folder: str | PathLike[str]) -> Path:
    """Return the newest checkpoint in the folder of a run.

    Raises:
        InputError: there is none.
    """
    found = checkpoints(folder)
    if not found:
        raise InputError(f"{folder} is no folder of a training with a checkpoint in it; name a run or a model's file")
    return found[-1]


def checkpoint_path(folder: str | PathLike[str], updates: int) -> Path:
    """Return where in the folder of a run the checkpoint after so many updates is."""
    return Path(folder, CHECKPOINTS, f"{updates:08}{SUFFIX}")


def _check(kind: type[Model], config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Make sure that what the file says of the model fits the tensors in it, before a model of that size is made."""
    if wrong := sorted(kind.settings.keys() ^ config.keys()):
        raise StateError(f"missing or unknown: {', '.join(wrong)}")
    for name, types in kind.settings.items():
        value = config[name]
        if type(value) not in (types if isinstance(types, tuple) else (types,)) or (
            isinstance(value, int) and value < 1
        ):
            raise StateError(f"{name} is {reprlib.repr(value)}")
    layers: int = config.get("num_layers", 1)
    if layers > len(state):
        raise StateError(f"{layers} layers, but {len(state)} tensors")
    expected = kind.shapes(config)
    for name in sorted(expected.keys() | state.keys()):
        found = state[name].shape if name in state else "missing"
        if found != expected.get(name):
            raise StateError(f"{name} is {found}, and would be {expected.get(name, 'unknown')} in the model described")
        if state[name].dtype != config["dtype"]:
            raise StateError(f"{name} is {state[name].dtype}, the model {config['dtype']}")


def _sha256(state: Mapping[str, Tensor]) -> str:
    """Return what tells these tensors from any others."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(f"{name} {state[name].shape} {state[name].dtype} ".encode())
        digest.update(np.ascontiguousarray(state[name].numpy()).data)
    return digest.hexdigest()


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
