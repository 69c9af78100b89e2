"""The cases of the committed reference values: what `make_reference.py` computes with PyTorch and the tests compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STEPS, BATCH, INPUT, HIDDEN = 4, 3, 3, 2


@dataclass(frozen=True)
class Recurrent:
    """A recurrent network on one input: its class, its options, and how it is called."""

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    given_state: bool = True
    batched: bool = True
    lengths: tuple[int, ...] | None = None

    @property
    def states(self) -> tuple[str, ...]:
        return ("h", "c") if self.kind == "LSTM" else ("h",)

    @property
    def x_shape(self) -> tuple[int, ...]:
        if not self.batched:
            return (STEPS, INPUT)
        return (BATCH, STEPS, INPUT) if self.options.get("batch_first") else (STEPS, BATCH, INPUT)

    def state_shape(self, name: str) -> tuple[int, ...]:
        rows = self.options.get("num_layers", 1) * (2 if self.options.get("bidirectional") else 1)
        size = self.options.get("proj_size", HIDDEN) if name == "h" else HIDDEN
        return (rows, BATCH, size) if self.batched else (rows, size)


RECURRENT = {
    f"{kind}/{name}": Recurrent(kind, **case)
    for kind in ("RNN", "LSTM", "GRU")
    for name, case in {
        "one_layer": {},
        "two_layers": {"options": {"num_layers": 2}},
        "bidirectional": {"options": {"bidirectional": True}},
        "two_layers_bidirectional_batch_first": {
            "options": {"num_layers": 2, "bidirectional": True, "batch_first": True}
        },
        "unbatched": {"batched": False},
        "unbatched_bidirectional_zero_state": {
            "options": {"bidirectional": True, "batch_first": True},
            "batched": False,
            "given_state": False,
        },
        "no_bias": {"options": {"bias": False}},
        "zero_state": {"options": {"num_layers": 2}, "given_state": False},
        "lengths": {"lengths": (2, 4, 1)},
        "lengths_two_layers_bidirectional_batch_first": {
            "options": {"num_layers": 2, "bidirectional": True, "batch_first": True}, "lengths": (3, 1, 3)
        },
    }.items()
}
RECURRENT |= {
    "LSTM/projection": Recurrent("LSTM", {"proj_size": 1}),
    "LSTM/projection_lengths": Recurrent(
        "LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 1}, lengths=(1, 4, 2)
    ),
    "LSTM/projection_unbatched_no_bias": Recurrent("LSTM", {"proj_size": 1, "bias": False}, batched=False),
}
RECURRENT["RNN/relu"] = Recurrent("RNN", {"num_layers": 2, "nonlinearity": "relu"})

#: Cell class, whether the input has a batch axis, whether there are biases.
CELLS = {
    f"{kind}/{'batched' if batched else 'single'}{'' if bias else '_no_bias'}": (kind, batched, bias)
    for kind in ("RNNCell", "LSTMCell", "GRUCell")
    for batched in (True, False)
    for bias in (True, False)
}

#: Name in this library's `functional` -> name and options in torch's, the shape of the input, and what the target is.
LOSSES = {
    "cross_entropy": ("cross_entropy", {}, (5, 4), "ids"),
    "cross_entropy_images": ("cross_entropy", {}, (2, 4, 3), "ids"),
    "nll_loss": ("nll_loss", {}, (5, 4), "ids"),
    "mse_loss": ("mse_loss", {}, (3, 2), "values"),
    "l1_loss": ("l1_loss", {}, (3, 2), "values"),
    "huber_loss": ("huber_loss", {"delta": 0.5}, (3, 2), "values"),
    "binary_cross_entropy_with_logits": ("binary_cross_entropy_with_logits", {}, (3, 2), "fractions"),
}

#: Optimizer class and options, the same in both libraries.
OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd_weight_decay": ("SGD", {"lr": 0.1, "weight_decay": 0.2}),
    "sgd_momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    "sgd_nesterov": ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    "adagrad": ("Adagrad", {"lr": 0.3}),
    "adagrad_options": ("Adagrad", {"lr": 0.3, "lr_decay": 0.2, "eps": 1e-2, "weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {"lr": 0.05}),
    "rmsprop_momentum": ("RMSprop", {"lr": 0.05, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adam_options": ("Adam", {"lr": 0.1, "betas": (0.7, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    "adamw": ("AdamW", {"lr": 0.1}),
    "adamw_options": ("AdamW", {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.3}),
}
OPTIMIZER_STEPS = 4
