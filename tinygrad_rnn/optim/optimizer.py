"""What all optimizers have in common: parameters, a learning rate, and tensors kept for every parameter."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.creation import literal, tensor, zeros, zeros_like
from tinygrad_rnn.engine.modes import modes, no_grad, scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, StateError
from tinygrad_rnn.optim.parameters import leaves
from tinygrad_rnn.state import converted, write

__all__ = ["Optimizer", "groups_of"]


#: Which optimizer keeps which tensors for every parameter.
_KINDS = {
    frozenset(["velocity"]): "SGD with momentum",
    frozenset(["square_sum"]): "Adagrad",
    frozenset(["square_average"]): "RMSprop without momentum",
    frozenset(["square_average", "velocity"]): "RMSprop with momentum",
    frozenset(["average", "square_average"]): "Adam or AdamW",
    frozenset(): "SGD without momentum",
}


@dataclass(frozen=True)
class Group:
    """Parameters that learn in their own way.

    Attributes:
        params: the parameters.
        times: their learning rate, as a multiple of the optimizer's.
        options: those of the optimizer's options that are different for them.
    """

    params: list[Tensor]
    times: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        """Return what it is in plain values: how many parameters, and their settings."""
        return {"parameters": len(self.params), "times": self.times, **_plain(self.options)}


def groups_of(params: Iterable[Tensor], lr: float, groups: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return groups as an optimizer takes them, from their configs and all parameters in their order.

    Raises:
        InputError: there are more or fewer parameters than the groups have.
    """
    found, left = [], list(params)
    for config in groups:
        settings = dict(config)
        count, times = settings.pop("parameters"), settings.pop("times")
        found.append({"params": left[:count], "lr": lr * times, **settings})
        left = left[count:]
    if left or not all(group["params"] for group in found):
        raise InputError("the optimizer's groups are for other parameters")
    return found


class Optimizer:
    """Base of the optimizers: it holds parameters, a learning rate, and for every parameter some tensors of its shape.

    Subclasses name those tensors in `moments` and their settings in `options`, and write `_update`. Parameters without
    a gradient are skipped.

    Parameters that learn in their own way come in groups, as in PyTorch: dicts with "params", a list of tensors, and
    any of "lr" and the options. `lr` moves the learning rates of all groups together: theirs stay in proportion.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn, optim
    >>> layer = nn.Linear(1, 1)
    >>> groups = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.2, "weight_decay": 0.0}]
    >>> optim.SGD(groups, lr=0.1, weight_decay=0.5).config()["groups"]
    [{'parameters': 1, 'times': 1.0}, {'parameters': 1, 'times': 2.0, 'weight_decay': 0.0}]

    The parameters are on one device. When a module moves them to another, the state follows at the next step.
    """

    #: The names of the tensors kept for every parameter, zeros at first.
    moments: tuple[str, ...] = ()
    #: The attributes that hold the settings, lr apart, which is part of the state.
    options: tuple[str, ...] = ()
    #: Those of the moments that are never negative.
    squares: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Tensor] | Iterable[Mapping[str, Any]], lr: float) -> None:
        plain = isinstance(params, Iterable) and not isinstance(params, Tensor) and not hasattr(params, "parameters")
        found: Any = list(params) if plain else params
        self._groups: list[Group] = []  # none if all learn in the same way
        if isinstance(found, list) and found and all(isinstance(each, Mapping) for each in found):
            self._groups = [self._group(each, lr) for each in found]
            found = [p for group in self._groups for p in group.params]
        self.params = leaves(found, type(self).__name__)
        self._lr = tensor(arguments.not_negative("lr", lr), "float64", self.params[0].device).named("lr")
        #: How many steps each parameter took, those for which it had a gradient: a float64 tensor, one number for each.
        self.steps = zeros(len(self.params), dtype="float64", device=self.params[0].device).named("steps")
        self.state = {
            name: [zeros_like(p).named(f"{name}.{p.name or index}") for index, p in enumerate(self.params)]
            for name in self.moments
        }
        self._even = True  # whether all have taken as many steps; known without looking at the tensor
        self._dtypes = [p.dtype for p in self.params]

    @property
    def lr(self) -> Tensor:
        """The learning rate, a 0-d float64 tensor; setting it, as in `optimizer.lr = 0.01`, overwrites its value."""
        return self._lr

    @lr.setter
    def lr(self, value: float | Tensor) -> None:
        if not (isinstance(value, Tensor) and modes.recorders):  # what is recorded must not be looked at
            number = arguments.not_negative("lr", value)
        self._lr.assign_(value.detach().to(self._lr.device, "float64") if isinstance(value, Tensor) else number)

    @scope("zero_grad")
    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.params:
            p.grad = None

    @no_grad()
    @scope("optimizer")
    def step(self) -> None:
        """Change every parameter that has a gradient.

        Raises:
            StateError: a parameter changed its dtype since the optimizer was made.
        """
        for recorder in modes.recorders:
            recorder.used(self)
        self._follow()
        for index, (p, dtype) in enumerate(zip(self.params, self._dtypes, strict=True)):
            if p.grad is not None and p.dtype != dtype:
                raise StateError(
                    f"parameter {p.name or index} became {p.dtype}, but was {dtype} when this {type(self).__name__} "
                    f"was made; make the optimizer after module.to(...)"
                )
        present = [p.grad is not None for p in self.params]
        step = 1.0 if all(present) else literal(present, "float64", self.steps.device)
        self.steps.assign_(self.steps + step)
        self._even = self._even and all(present) == any(present)
        first = 0
        for group in self._groups or [Group(self.params)]:
            self._for_group(group)._change(range(first, first + len(group.params)))
            first += len(group.params)

    def _change(self, which: range) -> None:
        """Change those of some parameters that have a gradient, all with the same settings."""
        rates = self._rates()  # in float64 up to here
        dtypes = dict.fromkeys(self._dtypes[index] for index in which)
        cast = {dtype: [_for_each(rate.cast(dtype), len(self.params)) for rate in rates] for dtype in dtypes}
        for index in which:
            p = self.params[index]
            if p.grad is not None:
                moments = [self.state[name][index] for name in self.moments]
                self._update(p, p.grad, moments, *[rate[index] for rate in cast[p.dtype]])

    def _group(self, given: Mapping[str, Any], lr: float) -> Group:
        """Return a group of parameters; an optimizer like this one, made for a moment, checks its settings."""
        what, chosen = type(self).__name__, dict(given)
        params = leaves(chosen.pop("params", None), f"{what}: a group's params")
        if unknown := sorted(chosen.keys() - {"lr", *self.options}):
            known = ", ".join(("params", "lr", *self.options))
            raise InputError(f"{what}: a group has {known}, and no {', '.join(map(str, unknown))}")
        usual = {name: getattr(self, name) for name in self.options}
        own = type(self)(params, **{"lr": lr, **usual, **chosen})
        if own.moments != self.moments:
            raise InputError(f"{what}: momentum is for all groups or for none; take a tiny one where it shall not be")
        if "lr" in chosen and not lr > 0:
            raise InputError(f"{what}: lr must be above 0 where a group has its own, as they stay in proportion")
        times = own.lr.item() / arguments.not_negative("lr", lr) if "lr" in chosen else 1.0
        return Group(params, times, {name: getattr(own, name) for name in self.options if name in chosen})

    def _for_group(self, group: Group) -> Self:
        """Return this optimizer with a group's settings, for one step; its tensors are shared."""
        if group.times == 1.0 and not group.options:
            return self
        found = copy.copy(self)
        vars(found).update(group.options, _lr=self._lr * group.times)
        return found

    def _rates(self) -> tuple[Tensor, ...]:
        """Return the float64 tensors that this step needs, each 0-d or with a number for each parameter."""
        return (self.lr,)

    def _taken(self) -> Tensor:
        """Return how many steps were taken: 0-d if all parameters took as many, else a number for each, at least 1."""
        return self.steps[0] if self._even else self.steps.maximum(1.0)

    def _follow(self) -> None:
        """Bring the state to where the parameters are."""
        home = self.params[0].device
        if self._lr.device != home:
            self._lr, self.steps = self._lr.to(home), self.steps.to(home)
        for tensors in self.state.values():
            for index, p in enumerate(self.params):
                if tensors[index].device != p.device:
                    tensors[index] = tensors[index].to(p.device)

    def _update(self, p: Tensor, g: Tensor, moments: list[Tensor], *rates: Tensor) -> None:
        """Change one parameter from its gradient, its moments, and the rates of this step."""
        raise NotImplementedError(f"{type(self).__name__} has no _update method: define one")

    def config(self) -> dict[str, Any]:
        """Return which optimizer this is, in plain values that JSON can hold: "kind", its class, and its options.

        The state goes on as it was only in an optimizer of the same config, so a checkpoint keeps both.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import optim
        >>> optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9).config()
        {'kind': 'SGD', 'momentum': 0.9, 'nesterov': False, 'weight_decay': 0.0}
        """
        chosen = {name: getattr(self, name) for name in self.options}
        found = {"kind": type(self).__name__, **_plain(chosen)}
        return found | {"groups": [group.config() for group in self._groups]} if self._groups else found

    def state_dict(self) -> dict[str, Tensor]:
        """Return learning rate, step counts and moments under flat names, ready for `tg.save`."""
        state = {"lr": self.lr.detach(), "steps": self.steps.detach()}
        for name, tensors in self.state.items():
            state |= {f"{name}.{index}": value.detach() for index, value in enumerate(tensors)}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict` of the same kind of optimizer over the same parameters.

        Raises:
            StateError: names, shapes or values do not fit, or it is of another kind. Nothing was overwritten then.
        """
        self._follow()
        own = self.state_dict()
        values, problems = converted(state, own, type(self).__name__)
        kept = frozenset(name.rpartition(".")[0] for name in state if isinstance(name, str) and "." in name)
        if kept != frozenset(self.moments) and kept in _KINDS:
            problems = [f"it is of {_KINDS[kept]}, not of {self!r}"]
        problems += self._out_of_range(values)
        if problems:
            raise StateError(
                f"the state does not fit this {type(self).__name__}:\n  "
                + "\n  ".join(problems)
                + "\nmake the optimizer of the same class, with the same options, over the same parameters as the one "
                "that was saved"
            )
        write(values, own)
        self._even = len(set(self.steps.tolist())) == 1

    def _out_of_range(self, values: Mapping[str, Tensor]) -> Iterator[str]:
        """Yield what no optimizer of this kind can have come to."""
        for name, value in values.items():
            numbers, kind = value.numpy(), name.partition(".")[0]
            if not np.isfinite(numbers).all():
                yield f"{name}: holds NaN or infinity; take the state of an earlier step"
            elif kind in ("lr", "steps", *self.squares) and (numbers < 0).any():
                yield f"{name}: must not be negative, but holds {numbers.min()}"
            elif kind == "steps" and (numbers % 1).any():
                yield f"{name}: must be whole numbers, but are {numbers.tolist()}"

    def __repr__(self) -> str:
        chosen = {"lr": self.lr.item()} | {name: getattr(self, name) for name in self.options}
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in chosen.items())})"

    def __getattr__(self, name: str) -> Any:
        what = type(self).__name__
        advice = ""
        if name == "param_groups":
            advice = "; set optimizer.lr = ..., and give groups of parameters when you make the optimizer"
        elif name in ("params", "state", "steps", "_lr", "_dtypes", "_even", "_groups"):
            advice = f"; does {what}.__init__ call super().__init__(params, lr)?"
        raise AttributeError(f"{what!r} object has no attribute {name!r}{advice}", name=name, obj=self)


def _for_each(rate: Tensor, count: int) -> Sequence[Tensor]:
    """Return a rate for each parameter: its own, or the one that all share."""
    return rate.unbind() if rate.ndim else (rate,) * count


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as JSON holds them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
