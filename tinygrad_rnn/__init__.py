"""tinygrad_rnn: autodiff from scratch, recurrent networks from primitive ops, pictures of where gradients vanish."""

from tinygrad_rnn.dtypes import bool_, float32, float64, int64
from tinygrad_rnn.engine.autograd import grad
from tinygrad_rnn.engine.check import detect_anomaly, gradcheck, gradgradcheck
from tinygrad_rnn.engine.creation import (
    Generator,
    arange,
    concat,
    eye,
    from_numpy,
    full,
    manual_seed,
    maximum,
    minimum,
    ones,
    ones_like,
    rand,
    randn,
    stack,
    tensor,
    where,
    zeros,
    zeros_like,
)
from tinygrad_rnn.engine.graph import Op, enable_grad, no_grad, scope
from tinygrad_rnn.engine.tensor import Tensor, apply
from tinygrad_rnn.engine.transforms import hessian, jacobian, jvp, vjp
from tinygrad_rnn.serialization import load, save

__version__ = "0.1.0"

__all__ = [
    "Generator", "Op", "Tensor", "apply", "arange", "bool_", "concat", "detect_anomaly", "enable_grad", "eye",
    "float32", "float64", "from_numpy", "full", "grad", "gradcheck", "gradgradcheck", "hessian", "int64",
    "jacobian", "jvp", "load", "manual_seed", "maximum", "minimum", "no_grad", "ones", "ones_like", "rand", "randn",
    "save", "scope", "stack", "tensor", "vjp", "where", "zeros", "zeros_like",
]  # fmt: skip
