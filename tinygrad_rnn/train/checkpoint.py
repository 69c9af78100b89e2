"""A trained model in a file, with all that is needed to continue its training or to use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

from tinygrad_rnn import optim, serialization
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, TinygradError
from tinygrad_rnn.train.model import SequenceModel

FORMAT = "tinygrad_rnn.model/1"


@dataclass(frozen=True)
class Checkpoint:
    """A model and where its training stands.

    Attributes:
        model: with the parameters it had.
        optimizer_state: for `Optimizer.load_state_dict`.
        settings: whatever was saved with it, as JSON holds it.
    """

    model: SequenceModel
    optimizer_state: dict[str, Tensor]
    settings: dict[str, Any]


def save_checkpoint(
    path: str | PathLike[str], model: SequenceModel, optimizer: optim.Optimizer, settings: Mapping[str, Any]
) -> None:
    """Write a model to a safetensors file, which appears whole or not at all.

    Args:
        settings: anything JSON can hold, such as the task and the number of updates made.
    """
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    state |= {f"optimizer.{name}": value for name, value in optimizer.state_dict().items()}
    build = {
        "cell": model.cell_name,
        "input_size": model.rnn.input_size,
        "hidden_size": model.rnn.hidden_size,
        "output_size": model.output.out_features,
        "num_layers": model.rnn.num_layers,
        "dtype": str(model.dtype),
    }
    # One text, as safetensors puts several in a different order each time.
    serialization.save(path, state, {FORMAT: json.dumps({"model": build, "settings": dict(settings)})})


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
        model = SequenceModel(**about["model"])
        settings = dict(about["settings"])
        model.load_state_dict(_part(state, "model."))
    except (KeyError, TypeError, ValueError, TinygradError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is damaged ({reason}); train the model again") from None
    return Checkpoint(model.to(device), _part(state, "optimizer."), settings)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
