"""The optimizers: SGD, Adagrad, RMSprop, Adam and AdamW, with PyTorch's numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinygrad_rnn import arguments
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.optim.optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]


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
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
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


class Adagrad(Optimizer):
    """Divide the gradient by the root of the sum of all its squares so far (Duchi, Hazan & Singer 2011).

    s' = s + g**2;  p' = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s') + eps),  where g = grad + weight_decay * p.

    As in PyTorch t counts, for every parameter, the steps for which it had a gradient.

    Raises:
        InputError: no parameters, or a negative number.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.Adagrad([w], lr=0.1).step()
    >>> round(w.item(), 4)
    0.9
    """

    moments = ("square_sum",)
    options = ("lr_decay", "eps", "weight_decay")
    squares = ("square_sum",)

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
        lr: float = 0.01,
        lr_decay: float = 0.0,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        self.lr_decay = arguments.not_negative("lr_decay", lr_decay)
        self.eps = arguments.not_negative("eps", eps)
        self.weight_decay = arguments.not_negative("weight_decay", weight_decay)
        super().__init__(params, lr)

    def _rates(self) -> tuple[Tensor, ...]:
        """Return the learning rate as it has decayed."""
        return (self.lr / (1.0 + (self._taken() - 1.0) * self.lr_decay),) if self.lr_decay else (self.lr,)

    def _update(self, p: Tensor, g: Tensor, moments: list[Tensor], *rates: Tensor) -> None:
        (lr,), (s,) = rates, moments
        if self.weight_decay:
            g = g + self.weight_decay * p
        s.assign_(s + g * g)
        p.assign_(p - lr * g / (s.sqrt() + self.eps))


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
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
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
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
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
        params: Iterable[Tensor] | Iterable[Mapping[str, Any]],
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
