"""Optimizers and gradient clipping, with PyTorch's numbers.

A step is a list of tensor ops and `assign_`s, also for what changes between steps (learning rate, step count, moments),
so that it can be recorded and replayed, and never waits for a device. Gradients are read, never written in place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import arguments
from tinygrad_rnn.dtypes import is_float
from tinygrad_rnn.engine.creation import literal, minimum, stack, tensor, zeros, zeros_like
from tinygrad_rnn.engine.modes import modes, no_grad, scope
from tinygrad_rnn.engine.names import no_such_name
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError, StateError
from tinygrad_rnn.state import converted, write

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "clip_grad_norm_", "clip_grad_value_"]


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name, __all__)


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__


class Optimizer:
    """Base of the optimizers: it holds parameters, a learning rate, and for every parameter some tensors of its shape.

    Subclasses name those tensors in `moments` and their settings in `options`, and write `_update`. Parameters without
    a gradient are skipped.

    The parameters are on one device. When a module moves them to another, the state follows at the next step.
    """

    #: The names of the tensors kept for every parameter, zeros at first.
    moments: tuple[str, ...] = ()
    #: The attributes that hold the settings, lr apart, which is part of the state.
    options: tuple[str, ...] = ()
    #: Those of the moments that are never negative.
    squares: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.params = _leaves(params, type(self).__name__)
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
        rates = self._rates()  # in float64 up to here
        cast = {
            dtype: [_for_each(rate.cast(dtype), len(self.params)) for rate in rates]
            for dtype in dict.fromkeys(self._dtypes)
        }
        for index, p in enumerate(self.params):
            if p.grad is not None:
                moments = [self.state[name][index] for name in self.moments]
                self._update(p, p.grad, moments, *[rate[index] for rate in cast[p.dtype]])

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
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}
        return {"kind": type(self).__name__, **plain}

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
            advice = "; set optimizer.lr = ..., and make an optimizer for each group of parameters"
        elif name in ("params", "state", "steps", "_lr", "_dtypes", "_even"):
            advice = f"; does {what}.__init__ call super().__init__(params, lr)?"
        raise AttributeError(f"{what!r} object has no attribute {name!r}{advice}", name=name, obj=self)


def _for_each(rate: Tensor, count: int) -> Sequence[Tensor]:
    """Return a rate for each parameter: its own, or the one that all share."""
    return rate.unbind() if rate.ndim else (rate,) * count


def _tensors(params: Any, what: str) -> list[Tensor]:
    """Return parameters as a list; InputError unless they are an iterable of tensors."""
    if hasattr(params, "parameters") or not isinstance(params, Iterable):
        raise InputError(f"{what}: parameters must be tensors, not {type(params).__name__}; pass module.parameters()")
    found = list(params)
    for p in found:
        if not isinstance(p, Tensor):
            raise InputError(
                f"{what}: parameters must be tensors, not {type(p).__name__}; pass module.parameters(), and make an "
                "optimizer for each group of parameters that learns in its own way"
            )
    return found


def _leaves(params: Any, what: str) -> list[Tensor]:
    if isinstance(params, Tensor):
        raise InputError(f"{what}: parameters must come in a list, as [w] for a single one")
    found = _tensors(params, what)
    if not found:
        raise InputError(
            f"{what}: there are no parameters to optimize; pass module.parameters(). A module finds those of modules "
            "in its attributes, but not in a plain list or dict: for that there are nn.ModuleList and nn.ModuleDict"
        )
    for p in found:
        if not p.is_leaf:
            raise InputError(f"{what}: only leaves can be optimized, not the result of an op (shape {p.shape})")
        if not is_float(p.dtype):
            raise InputError(f"{what}: only floats can be optimized, not a tensor of {p.dtype} (shape {p.shape})")
    if len({id(p) for p in found}) != len(found):
        raise InputError(f"{what}: a parameter comes twice and would be updated twice; pass each once")
    return found


#: Which optimizer keeps which tensors for every parameter.
_KINDS = {
    frozenset(["velocity"]): "SGD with momentum",
    frozenset(["square_average"]): "RMSprop without momentum",
    frozenset(["square_average", "velocity"]): "RMSprop with momentum",
    frozenset(["average", "square_average"]): "Adam or AdamW",
    frozenset(): "SGD without momentum",
}


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013).

    g = grad + weight_decay * p;  v' = momentum * v + g;  p' = p - lr * v',
    with Nesterov p' = p - lr * (g + momentum * v'). As in PyTorch lr is outside the velocity.

    Raises:
        InputError: no parameters, a negative number, or Nesterov without momentum.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.SGD([w], lr=0.25).step()
    >>> w.item()
    0.5
    """

    options = ("momentum", "nesterov", "weight_decay")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum = arguments.not_negative("momentum", momentum)
        self.weight_decay = arguments.not_negative("weight_decay", weight_decay)
        self.nesterov = arguments.flag("nesterov", nesterov)
        if self.nesterov and not self.momentum:
            raise InputError("nesterov needs a momentum above 0, for example momentum=0.9")
        self.moments = ("velocity",) if self.momentum else ()
        super().__init__(params, lr)

    def _update(self, p: Tensor, g: Tensor, moments: list[Tensor], *rates: Tensor) -> None:
        (lr,) = rates
        if self.weight_decay:
            g = g + self.weight_decay * p
        if self.momentum:
            (v,) = moments
            v.assign_(self.momentum * v + g)
            g = g + self.momentum * v if self.nesterov else v
        p.assign_(p - lr * g)


class RMSprop(Optimizer):
    """Divide the gradient by a running root mean square of itself (Tieleman & Hinton 2012).

    s' = alpha * s + (1 - alpha) * g**2;  d = g / (sqrt(s') + eps);  v' = momentum * v + d;  p' = p - lr * v',
    where g = grad + weight_decay * p.

    Raises:
        InputError: no parameters, or a number out of its range.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.RMSprop([w], lr=0.05, alpha=0.75).step()
    >>> round(w.item(), 4)
    0.9
    """

    options = ("alpha", "eps", "weight_decay", "momentum")
    squares = ("square_average",)

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        self.alpha = arguments.fraction("alpha", alpha)
        self.eps = arguments.not_negative("eps", eps)
        self.weight_decay = arguments.not_negative("weight_decay", weight_decay)
        self.momentum = arguments.not_negative("momentum", momentum)
        self.moments = ("square_average", "velocity") if self.momentum else ("square_average",)
        super().__init__(params, lr)

    def _update(self, p: Tensor, g: Tensor, moments: list[Tensor], *rates: Tensor) -> None:
        (lr,) = rates
        if self.weight_decay:
            g = g + self.weight_decay * p
        s = moments[0]
        s.assign_(self.alpha * s + (1 - self.alpha) * (g * g))
        direction = g / (s.sqrt() + self.eps)
        if self.momentum:
            v = moments[1]
            v.assign_(self.momentum * v + direction)
            direction = v
        p.assign_(p - lr * direction)


class Adam(Optimizer):
    """Adaptive moments (Kingma & Ba 2015).

    m' = beta1 * m + (1 - beta1) * g;  s' = beta2 * s + (1 - beta2) * g**2;
    p' = p - lr * (m' / (1 - beta1**t)) / (sqrt(s' / (1 - beta2**t)) + eps),  where g = grad + weight_decay * p.

    As in PyTorch t counts, for every parameter, the steps for which it had a gradient.

    Raises:
        InputError: no parameters, or a number out of its range.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.Adam([w], lr=0.1).step()
    >>> round(w.item(), 4)
    0.9
    """

    moments = ("average", "square_average")
    options = ("betas", "eps", "weight_decay")
    squares = ("square_average",)

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not isinstance(betas, Sequence) or isinstance(betas, str) or len(betas) != 2:
            raise InputError(f"betas must be two numbers, for example (0.9, 0.999), not {betas!r}")
        self.betas = (arguments.fraction("betas[0]", betas[0]), arguments.fraction("betas[1]", betas[1]))
        self.eps = arguments.not_negative("eps", eps)
        self.weight_decay = arguments.not_negative("weight_decay", weight_decay)
        super().__init__(params, lr)

    def _rates(self) -> tuple[Tensor, ...]:
        """Return lr, and two factors: the paper's efficient form of the bias corrections (end of its section 2)."""
        beta1, beta2 = self.betas
        t = self._taken()
        root = (1.0 - beta2**t).sqrt()
        return self.lr, self.lr * root / (1.0 - beta1**t), self.eps * root

    def _update(self, p: Tensor, g: Tensor, moments: list[Tensor], *rates: Tensor) -> None:
        _, step_size, eps = rates
        if self.weight_decay:
            g = g + self.weight_decay * p
        p.assign_(p - step_size * self._direction(g, moments, eps))

    def _direction(self, g: Tensor, moments: list[Tensor], eps: Tensor) -> Tensor:
        beta1, beta2 = self.betas
        m, s = moments
        m.assign_(beta1 * m + (1 - beta1) * g)
        s.assign_(beta2 * s + (1 - beta2) * (g * g))
        return m / (s.sqrt() + eps)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): p shrinks by lr * weight_decay * p beside the step.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.AdamW([w], lr=0.1, weight_decay=0.5).step()
    >>> round(w.item(), 4)
    0.85
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def _update(self, p: Tensor, g: Tensor, moments: list[Tensor], *rates: Tensor) -> None:
        lr, step_size, eps = rates
        kept = p - lr * self.weight_decay * p if self.weight_decay else p
        p.assign_(kept - step_size * self._direction(g, moments, eps))


# ---- clipping -------------------------------------------------------------------------------------------------


@no_grad()
@scope("clipping")
def clip_grad_norm_(params: Tensor | Iterable[Tensor], max_norm: float, *, error_if_nonfinite: bool = False) -> Tensor:
    """Scale all gradients together so that their joint L2 norm is at most max_norm (Pascanu et al. 2013).

    Replaces each `.grad`. As in PyTorch the factor is min(1, max_norm / (norm + 1e-6)). With max_norm=inf it only
    measures. Squares that overflow or underflow do no harm: the norm is infinite or NaN only if a gradient is, or if it
    is itself beyond all float64. Then finite gradients become 0 (NaN if the norm is) and infinite ones NaN, as in
    PyTorch: look at the norm before you step, or ask for an error.

    Args:
        params: one parameter or several; those without a gradient are left out.
        max_norm: the largest norm that is left as it is. A 0-d tensor is not looked at, and may change between the
            replays of a recorded step.
        error_if_nonfinite: look at the norm, which waits for a device, and raise an error before any gradient is
            changed if it is infinite or NaN.

    Returns:
        The norm before clipping, a 0-d float64 tensor; 0 if no parameter has a gradient.

    Raises:
        InputError: max_norm is negative or not a number; or the norm is not finite and that shall be an error.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.clip_grad_norm_([w], 1.0).item(), round(w.grad[0].item(), 4)
    (10.0, 0.6)
    """
    limit = _limit("max_norm", max_norm, "a number >= 0, or inf to clip nothing")
    parameters = _one_or_many(params, "clip_grad_norm_")
    with_grad = [(p, p.grad) for p in parameters if p.grad is not None]
    if not with_grad:
        return tensor(0.0, "float64", device=parameters[0].device if parameters else "cpu")
    norm = stack([g._length() for _, g in with_grad])._length()
    if error_if_nonfinite and not math.isfinite(norm.item()):
        raise InputError(
            f"clip_grad_norm_: the norm of the gradients is {norm.item()}, so they cannot be scaled; "
            "tg.detect_anomaly() finds where that begins"
        )
    if not isinstance(limit, Tensor) and limit == math.inf:
        return norm
    scale = minimum(limit / (norm + 1e-6), 1.0)  # no branch: a recorded step clips when it is replayed, too
    for p, g in with_grad:
        p.grad = g * scale.cast(g.dtype)
    return norm


@no_grad()
@scope("clipping")
def clip_grad_value_(params: Tensor | Iterable[Tensor], clip_value: float | Tensor) -> None:
    """Limit every element of every gradient to [-clip_value, clip_value]; replaces each `.grad`.

    A 0-d tensor is not looked at, as in `clip_grad_norm_`.

    Raises:
        InputError: clip_value is negative or not a number.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([3.0, -0.25], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    limit = _limit("clip_value", clip_value, "a number >= 0")
    for p in _one_or_many(params, "clip_grad_value_"):
        if p.grad is not None:
            high = limit.to(p.device, p.dtype) if isinstance(limit, Tensor) else limit
            p.grad = p.grad.clip(-high, high)


def _limit(name: str, value: Any, what: str) -> float | Tensor:
    """Return a limit of clipping: a 0-d tensor as it is, a number checked."""
    if isinstance(value, Tensor) and value.ndim == 0:
        return value.detach()
    return arguments.number(name, value, f"{what}, or a 0-d tensor of one", lambda n: n >= 0)


def _one_or_many(params: Any, what: str) -> list[Tensor]:
    return [params] if isinstance(params, Tensor) else _tensors(params, what)
