"""Models: what learns a task. A new one is a file, and a line in `MODELS`."""

from tinygrad_rnn.train.models.base import Model
from tinygrad_rnn.train.models.encoder_decoder import EncoderDecoder
from tinygrad_rnn.train.models.sequence import SequenceModel

#: By the name that tasks and checkpoints use.
MODELS: dict[str, type[Model]] = {kind.kind: kind for kind in (SequenceModel, EncoderDecoder)}

__all__ = ["MODELS", "EncoderDecoder", "Model", "SequenceModel"]
