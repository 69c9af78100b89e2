"""The optimizers there are, and which one is meant by a few words: "adam", "sgd:momentum=0.9:nesterov=yes"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tinygrad_rnn import specs
from tinygrad_rnn.engine.creation import zeros
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.optim.algorithms import SGD, Adagrad, Adam, AdamW, RMSprop
from tinygrad_rnn.optim.optimizer import Optimizer

__all__ = ["OPTIMIZERS", "OptimizerEntry", "OptimizerSpec", "optimizer_of", "parse_optimizer"]


@dataclass(frozen=True)
class OptimizerEntry:
    """A line of the table of optimizers.

    Attributes:
        optimizer: the class.
        summary: what it does, in one line.
        options: what can be chosen about it, and how a value is read.
    """

    optimizer: type[Optimizer]
    summary: str
    options: Mapping[str, Callable[[str], specs.Value]]


_MOMENTS = {"beta1": specs.number, "beta2": specs.number, "eps": specs.number, "weight_decay": specs.number}

#: By the name that texts and commands use.
OPTIMIZERS: dict[str, OptimizerEntry] = {
    "sgd": OptimizerEntry(
        SGD, "down the gradient, with a momentum if one is given",
        {"momentum": specs.number, "nesterov": specs.word("yes", "no"), "weight_decay": specs.number},
    ),
    "adagrad": OptimizerEntry(
        Adagrad, "divides the gradient by the root of the sum of all its squares so far",
        {"lr_decay": specs.number, "eps": specs.number, "weight_decay": specs.number},
    ),
    "rmsprop": OptimizerEntry(
        RMSprop, "divides the gradient by its running root mean square",
        {"alpha": specs.number, "eps": specs.number, "momentum": specs.number, "weight_decay": specs.number},
    ),
    "adam": OptimizerEntry(Adam, "the same for a running mean of the gradient", _MOMENTS),
    "adamw": OptimizerEntry(AdamW, "Adam, with a weight decay of its own beside the step", _MOMENTS),
}  # fmt: skip


@dataclass(frozen=True)
class OptimizerSpec(specs.Spec):
    """An optimizer of the table and what was chosen about it."""

    def make(self, params: Iterable[Tensor], lr: float) -> Optimizer:
        """Return the optimizer over some parameters.

        Raises:
            InputError: an option has a value that cannot be.
        """
        chosen: dict[str, Any] = dict(self.options)
        if "nesterov" in chosen:
            chosen["nesterov"] = chosen["nesterov"] == "yes"
        betas = {name: chosen.pop(name) for name in ("beta1", "beta2") if name in chosen}
        if betas:
            chosen["betas"] = (betas.get("beta1", 0.9), betas.get("beta2", 0.999))
        return OPTIMIZERS[self.name].optimizer(params, lr=lr, **chosen)


def parse_optimizer(text: str) -> OptimizerSpec:
    """Read a specification: an optimizer's name, then `:option=value` as often as needed.

    Args:
        text: the specification.

    Returns:
        The optimizer, without the options that say what holds anyway.

    Raises:
        InputError: an unknown optimizer or option, a value that cannot be, or an option given twice.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> spec = optim.parse_optimizer("sgd:momentum=0.90:weight_decay=0")
    >>> spec.text, spec.make([tg.zeros(2, requires_grad=True)], lr=0.1)
    ('sgd:momentum=0.9', SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0))
    """
    spec = OptimizerSpec(*specs.read("optimizer", text, OPTIMIZERS))
    try:
        return optimizer_of(_config(spec))
    except InputError as error:
        raise InputError(f"{text!r}: {error}") from None


def optimizer_of(config: Mapping[str, Any]) -> OptimizerSpec:
    """Return the specification of an optimizer with a `config`; groups of parameters are no part of it.

    Raises:
        InputError: it is none of the table.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> adam = optim.Adam([tg.zeros(1, requires_grad=True)], betas=(0.8, 0.999))
    >>> optim.optimizer_of(adam.config()).text
    'adam:beta1=0.8'
    """
    names = [name for name, entry in OPTIMIZERS.items() if entry.optimizer.__name__ == config.get("kind")]
    if not names:
        raise InputError(f"the optimizer {config.get('kind')!r} is none of {', '.join(OPTIMIZERS)}")
    usual = _said(_config(OptimizerSpec(names[0])))
    chosen = {name: value for name, value in _said(config).items() if value != usual.get(name)}
    return OptimizerSpec(*specs.read("optimizer", names[0], OPTIMIZERS, chosen))


def _config(spec: OptimizerSpec) -> dict[str, Any]:
    return spec.make([zeros(1, requires_grad=True)], lr=1.0).config()


def _said(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a `config` says in the options of a specification."""
    said = {name: value for name, value in config.items() if name not in ("kind", "betas", "groups")}
    if "betas" in config:
        said |= dict(zip(("beta1", "beta2"), config["betas"], strict=True))
    if "nesterov" in said:
        said["nesterov"] = "yes" if said["nesterov"] else "no"
    return said
