"""Functions composed of tensor methods: activations, losses, and what the layers of `nn` compute. They keep no state.

Names, the order of arguments and results are PyTorch's (`torch.nn.functional`); each docstring says where not. Where a
tensor is due all of them raise DTypeError for an array, a list or a number; only `embedding` takes ids of any kind.
"""

from tinygrad_rnn.functional.activations import (
    elu,
    gelu,
    hardsigmoid,
    heaviside,
    leaky_relu,
    log_softmax,
    logsumexp,
    maxout,
    prelu,
    relu,
    sigmoid,
    softmax,
    softplus,
    tanh,
)
from tinygrad_rnn.functional.attention import doubly_stochastic_penalty, length_mask, masked_softmax
from tinygrad_rnn.functional.layers import check_probability, dropout, embedding, layer_norm, linear, one_hot
from tinygrad_rnn.functional.losses import (
    REDUCTIONS,
    binary_cross_entropy_with_logits,
    check_reduction,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

__all__ = [
    "REDUCTIONS", "binary_cross_entropy_with_logits", "check_probability", "check_reduction", "cross_entropy",
    "doubly_stochastic_penalty", "dropout", "elu", "embedding", "gelu", "hardsigmoid", "heaviside", "huber_loss",
    "l1_loss", "layer_norm", "leaky_relu", "length_mask", "linear", "log_softmax", "logsumexp", "masked_softmax",
    "maxout", "mse_loss", "nll_loss", "one_hot", "prelu", "relu", "sigmoid", "smooth_l1_loss", "softmax", "softplus",
    "tanh",
]  # fmt: skip


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return __all__
