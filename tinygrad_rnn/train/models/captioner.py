"""A model that describes an image: a convolution that sees, and a decoder that writes what it sees."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tinygrad_rnn import arguments, nn
from tinygrad_rnn import functional as F
from tinygrad_rnn.engine.creation import arange, concat, stack, tensor, zeros
from tinygrad_rnn.engine.modes import scope
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.nn.attention import Memory
from tinygrad_rnn.nn.conv import Conv2d, max_pool2d
from tinygrad_rnn.tasks import Batch, Task
from tinygrad_rnn.tasks.strips import LOOKS
from tinygrad_rnn.train.models.base import Model, in_use
from tinygrad_rnn.train.models.sequence import recurrent_shapes

#: Channels after each of the two convolutions.
CHANNELS = (16, 32)
#: What the places of a feature map know of where they are: waves along the strip, of so many halves, and the row.
WAVES = (1, 2, 4)
#: D, the size of an annotation.
FEATURES = CHANNELS[-1] + 2 * len(WAVES) + 1
#: Pixels of the image to a place of the feature map, along each axis.
SHRINKS = 4


class Captioner(Model):
    """A convolutional network makes a map of features of an image; a recurrent decoder writes what is on it.

    Two convolutions of 3 x 3, each followed by relu and the maximum of 2 x 2 places, leave an annotation a_i for each
    place i of the image; to each is added where it is. Every step of the decoder reads its last reply and z:

    - "soft": what its state attends to, z = beta sum_i alpha_i a_i (`nn.SoftAttention`; Xu et al. 2015).
    - "none": the mean of all annotations, the same at every step (after Vinyals et al. 2015, who feed it once).

    It begins with tanh(W mean_i(a_i) + b) (`nn.InitialState`), and writes softmax(W h + b): all that one step knows of
    another goes through the states. In training it is fed the replies it should have given, else its own likeliest
    ones. To the loss of the task comes the doubly stochastic penalty, which asks that no place be passed over.

    Args:
        cell: of the decoder, as a text; see `nn.parse_cell`.
        input_size: the width of the images in pixels, a multiple of 4.
        hidden_size: H.
        output_size: O, the symbols of a reply.
        replies: S, the steps of the decoder.
        num_layers: L.
        attention: "none" or "soft".
        penalty: lambda, the strength of the penalty of "soft" attention.
        dtype, device: of the parameters.
        dropout: probability of dropping an element between two layers, in training.

    Raises:
        InputError: an unknown cell, option or kind of attention, or a width that is no multiple of 4.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.tasks import Batch
    >>> from tinygrad_rnn.train import Captioner
    >>> model = Captioner("lstm", input_size=32, hidden_size=4, output_size=11, replies=3)
    >>> batch = Batch(tg.zeros(2, 8, 32), targets=None)
    >>> model.outputs(batch).shape, model.looked_at(batch).shape
    ((3, 2, 11), (3, 2, 16))
    """

    kind = "captioner"
    reads = ("replies",)
    batch_axis = 0
    settings: ClassVar[dict[str, type | tuple[type, ...]]] = {
        "cell": str,
        "input_size": int,
        "hidden_size": int,
        "output_size": int,
        "replies": int,
        "num_layers": int,
        "attention": str,
        "penalty": float,
        "dtype": str,
        "dropout": float,
    }

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        output_size: int,
        replies: int,
        num_layers: int = 1,
        attention: str = "soft",
        penalty: float = 0.001,
        dtype: Any = "float32",
        device: str = "cpu",
        dropout: float = 0.0,
    ) -> None:
        spec = nn.parse_cell(cell)
        self.kind_of_attention = arguments.one_of("Captioner: attention", attention, LOOKS)
        self.penalty = arguments.not_negative("Captioner: penalty", penalty)
        if input_size % SHRINKS:
            raise InputError(f"Captioner: input_size, the width of the images, must be a multiple of {SHRINKS}")
        self.cell_name, self.input_size, self.replies = spec.text, input_size, replies
        made: dict[str, Any] = {"dtype": dtype, "device": device}
        self.first = Conv2d(1, CHANNELS[0], 3, padding=1, **made)
        self.second = Conv2d(*CHANNELS, 3, padding=1, **made)
        rest = made | {"dropout": dropout} | spec.cell_options
        self.decoder = nn.Recurrent(spec.cell_class, output_size + FEATURES, hidden_size, num_layers, **rest)
        seen = self.decoder.output_size
        self.start = nn.InitialState(FEATURES, self.decoder)
        self.attention = nn.SoftAttention(seen, FEATURES, starts=False, **made) if attention == "soft" else None
        self.output = nn.Linear(seen, output_size, **made)
        spec.apply(self.decoder)

    @classmethod
    def for_task(cls, task: Task, cell: str, hidden_size: int, num_layers: int = 1, **rest: Any) -> Captioner:
        """Return a new model of the sizes that a task needs, with the attention that it asks for."""
        sizes = task.input_size, hidden_size, task.output_size, task.replies, num_layers
        return cls(cell, *sizes, getattr(task, "attention", "soft"), **rest)

    @property
    def last_cell(self) -> nn.Cell:
        """The cell of the decoder's last layer."""
        return self.decoder.cell(self.decoder.num_layers - 1)

    def config(self) -> dict[str, Any]:
        """Return what makes a model like this one, as JSON can hold it: `Captioner(**config)`."""
        return {
            "cell": self.cell_name,
            "input_size": int(self.input_size),
            "hidden_size": int(self.decoder.hidden_size),
            "output_size": int(self.output.out_features),
            "replies": self.replies,
            "num_layers": int(self.decoder.num_layers),
            "attention": self.kind_of_attention,
            "penalty": float(self.penalty),
            "dtype": str(self.dtype),
            "dropout": float(self.decoder.dropout),
        }

    @classmethod
    def shapes(cls, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of the model with a `config`, by name, without making one."""
        sizes = config["cell"], config["hidden_size"], config["num_layers"]
        decoder, seen = recurrent_shapes("decoder", config["output_size"] + FEATURES, *sizes)
        spec = nn.parse_cell(config["cell"])
        cell = spec.cell_class.without_parameters(seen, config["hidden_size"], **spec.cell_options)
        shapes: dict[str, tuple[int, ...]] = decoder | {
            "first.weight": (CHANNELS[0], 1, 3, 3),
            "first.bias": CHANNELS[:1],
            "second.weight": (CHANNELS[1], CHANNELS[0], 3, 3),
            "second.bias": CHANNELS[1:],
            "output.weight": (config["output_size"], seen),
            "output.bias": (config["output_size"],),
        }
        for name, shape in zip(cell.state_names, cell.state_shapes(), strict=True):
            size = config["num_layers"] * math.prod(shape)
            shapes |= {f"start.to_{name}.weight": (size, FEATURES), f"start.to_{name}.bias": (size,)}
        if config["attention"] == "soft":
            shapes |= {
                "attention.attention.weight_query": (FEATURES, seen),
                "attention.attention.weight_key": (FEATURES, FEATURES),
                "attention.attention.weight_score": (FEATURES,),
                "attention.attention.bias": (FEATURES,),
                "attention.gate.weight": (1, seen),
                "attention.gate.bias": (1,),
            }
        return shapes

    def loss(self, task: Task, batch: Batch) -> Tensor:
        """Return what training minimises: the loss of the task, and the penalty for what is passed over."""
        outputs, weights = self._written(batch)
        loss = task.loss(outputs, batch)
        if weights is None or not self.penalty:
            return loss
        if batch.mask is not None:  # behind the end nobody looks
            weights = weights * tensor(batch.mask, device=self.device).unsqueeze(-1)
        return loss + F.doubly_stochastic_penalty(weights, self.penalty)

    def outputs(self, batch: Batch) -> Tensor:
        """Return what the decoder writes, (S, B, O): fed the replies of the batch, or its own where it has none."""
        return self._written(batch)[0]

    def answers(self, batch: Batch) -> Tensor:
        """Return what the decoder writes on its own, (S, B, O)."""
        return self._written(batch, teach=False)[0]

    def looked_at(self, batch: Batch) -> Tensor:
        """Return where the decoder looks while it writes on its own: weights (S, B, places), 1 in all for each reply.

        Places come row by row; there are Y / 4 rows of X / 4 places.

        Raises:
            InputError: the model has no attention.
        """
        weights = self._written(batch, teach=False)[1]
        if weights is None:
            raise InputError("this captioner has no attention, so it looks at no place; take strips:attention=soft")
        return weights

    def annotations(self, images: Tensor) -> Tensor:
        """Return what is seen at each place, (places, B, D), from images (B, Y, X), Y and X multiples of 4."""
        with scope("image"):
            x = max_pool2d(self.first(images.unsqueeze(1)).relu(), 2)
            x = max_pool2d(self.second(x).relu(), 2)
            batch, channels, rows, columns = x.shape
            seen = x.reshape(batch, channels, rows * columns).permute(2, 0, 1)
            where = _where(rows, columns, self.dtype, self.device).unsqueeze(1)
            where = where.broadcast_to((rows * columns, batch, where.shape[-1]))
            return concat([seen, where], axis=-1).named("annotations")

    def begin(self, batch: Batch) -> tuple[Memory | Tensor, list[Any]]:
        """Look at the images: return what `write` needs of them, and the states before the first reply."""
        seen = self.annotations(batch.inputs)
        mean = seen.mean(0)
        states = self.decoder.parted(self.start(mean), mean.shape[:1])
        return (mean if self.attention is None else self.attention.prepare(seen)), states

    def write(
        self, reply: Tensor, memory: Memory | Tensor, states: list[Any], t: int
    ) -> tuple[Tensor, Tensor | None, list[Any]]:
        """Read a reply (B, O), write the next: its logits (B, O), the weights of the attention, and the new states."""
        weights: Tensor | None = None
        z: Any = memory
        if self.attention is not None:
            with scope("t", t):
                last = states[-1]
                z, weights = self.attention(last[0] if isinstance(last, tuple) else last, memory)
        with scope("t", t):
            read = concat([reply, z], axis=-1)
        hidden, states = self.decoder.step(read, states, t)
        with scope("t", t):
            return self.output(hidden), weights, states

    def _written(self, batch: Batch, teach: bool = True) -> tuple[Tensor, Tensor | None]:
        outputs, weights = zip(*self._steps(batch, batch.replies if teach else None), strict=True)
        return stack(outputs), None if weights[0] is None else stack(weights)

    def _steps(self, batch: Batch, replies: Any) -> Iterator[tuple[Tensor, Tensor | None]]:
        memory, states = self.begin(batch)
        reply = zeros(batch.inputs.shape[0], self.output.out_features, dtype=self.dtype, device=self.device)
        for t in range(self.replies):
            output, weights, states = self.write(reply if replies is None else replies[t], memory, states, t)
            reply = F.one_hot(output.detach().argmax(axis=-1), self.output.out_features, self.dtype)
            yield output, weights

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Return nothing: every image has a state of its own to begin with."""
        return {}

    def measured(self, batch: Batch, start: dict[str, Tensor]) -> list[Tensor]:
        """Return the outputs of the decoder's steps, 0 to S - 1; the image lies before the first."""
        with in_use(self):
            return [output for output, _ in self._steps(batch, batch.replies)]


def _where(rows: int, columns: int, dtype: Any, device: str) -> Tensor:
    """Return what tells the places of a map apart, (rows * columns, 2 waves + 1), row by row."""
    along = (arange(columns, device=device).cast(dtype) + 0.5) * (math.pi / columns)
    down = (arange(rows, device=device).cast(dtype) * 2 - (rows - 1)) * (1 / max(rows - 1, 1))
    waves = stack([wave for times in WAVES for wave in ((along * times).sin(), (along * times).cos())], axis=-1)
    shape = rows, columns
    parts = [waves.broadcast_to((*shape, 2 * len(WAVES))), down.reshape(-1, 1, 1).broadcast_to((*shape, 1))]
    return concat(parts, axis=-1).reshape(rows * columns, -1)
