"""tinygrad_rnn: autodiff from scratch, recurrent networks from primitive ops, pictures of where gradients vanish."""

from importlib import import_module as _import_module
from typing import Any

from tinygrad_rnn import starting as _starting  # noqa: F401  (first: Ctrl-C may come while the rest is imported)
from tinygrad_rnn.dtypes import bool_, float32, float64, int64
from tinygrad_rnn.engine.applying import apply
from tinygrad_rnn.engine.autograd import grad
from tinygrad_rnn.engine.check import detect_anomaly, gradcheck, gradgradcheck
from tinygrad_rnn.engine.creation import (
    Generator,
    arange,
    cat,
    concat,
    eye,
    from_numpy,
    full,
    linspace,
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
from tinygrad_rnn.engine.einsum import einsum
from tinygrad_rnn.engine.functions import (
    abs,
    all,
    any,
    argmax,
    argmin,
    broadcast_to,
    chunk,
    clamp,
    clip,
    cos,
    cumsum,
    exp,
    expm1,
    flatten,
    flip,
    floor,
    isfinite,
    isnan,
    log,
    log1p,
    log_softmax,
    logsumexp,
    masked_fill,
    matmul,
    max,
    mean,
    min,
    norm,
    permute,
    pow,
    prod,
    reciprocal,
    relu,
    reshape,
    sigmoid,
    sign,
    sin,
    softmax,
    split,
    sqrt,
    square,
    squeeze,
    std,
    sum,
    take,
    tanh,
    transpose,
    tril,
    triu,
    unbind,
    unsqueeze,
    var,
)
from tinygrad_rnn.engine.graph import Op
from tinygrad_rnn.engine.modes import enable_grad, no_grad, scope
from tinygrad_rnn.engine.names import no_such_name as _no_such_name
from tinygrad_rnn.engine.tensor import Tensor
from tinygrad_rnn.engine.transforms import hessian, jacobian, jvp, vjp
from tinygrad_rnn.serialization import load, save

__version__ = "0.1.0"

__all__ = [
    "Generator", "Op", "Tensor", "abs", "all", "any", "apply", "arange", "argmax", "argmin", "bool_",
    "broadcast_to", "cat", "chunk", "clamp", "clip", "concat", "cos", "cumsum", "detect_anomaly", "einsum",
    "enable_grad", "exp", "expm1", "eye", "flatten", "flip", "float32", "float64", "floor", "from_numpy", "full",
    "grad", "gradcheck", "gradgradcheck", "hessian", "int64", "isfinite", "isnan", "jacobian", "jvp", "linspace",
    "load", "log", "log1p", "log_softmax", "logsumexp", "manual_seed", "masked_fill", "matmul", "max", "maximum",
    "mean", "min", "minimum", "no_grad", "norm", "ones", "ones_like", "permute", "pow", "prod", "rand", "randn",
    "reciprocal", "relu", "reshape", "save", "scope", "sigmoid", "sign", "sin", "softmax", "split", "sqrt",
    "square", "squeeze", "stack", "std", "sum", "take", "tanh", "tensor", "transpose", "tril", "triu", "unbind",
    "unsqueeze", "var", "vjp", "where", "zeros", "zeros_like",
]  # fmt: skip

#: What `tg.nn` and its kin are: modules that are imported when they are first asked for, so that `import tinygrad_rnn`
#: stays quick.
_ROOMS = {room: room for room in ("flow", "functional", "nn", "optim", "tape", "tasks", "train", "viz")}
_ROOMS["F"] = "functional"


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise _no_such_name(__name__, name, [*__all__, *_ROOMS])
    found = globals()[name] = _import_module(f"{__name__}.{_ROOMS[name]}")
    return found


def __dir__() -> list[str]:  # what TAB shows: no imported names
    return [*__all__, *_ROOMS, "errors", "__version__"]
