"""Device arrays with the memory layout of a NumPy array, and the comparison of a CUDA kernel with the reference."""

import numpy as np

from tinygrad_rnn import backends
from tinygrad_rnn.backends import reference


def on_device(x):
    """Upload the memory behind a NumPy array as it lies, and see it through the same strides."""
    from tinygrad_rnn.backends.cuda import array

    root = x = np.asarray(x)
    while isinstance(root.base, np.ndarray):
        root = root.base
    memory = backends.get("cuda").from_numpy(np.ndarray(root.size, root.dtype, root.tobytes("A")))
    offset = (x.__array_interface__["data"][0] - root.__array_interface__["data"][0]) // x.itemsize
    strides = tuple(step // x.itemsize for step in x.strides)
    return array.view(memory, x.shape, strides, offset if x.size else 0)


def _moved(argument, move):
    if isinstance(argument, np.ndarray):
        return move(argument)
    if isinstance(argument, list) and argument and isinstance(argument[0], np.ndarray):
        return [move(part) for part in argument]
    return argument


def check(kernel, *args, exact=False, ulps=8, scale=0.0):
    """The result has the dtype, shape and numbers that the reference gives it.

    Floats may be a few units in the last place apart; with `scale`, also so many units of numbers of that size.
    """
    backend = backends.get("cuda")
    with np.errstate(all="ignore"):
        expected = getattr(reference, kernel)(*args)
    result = backend.to_numpy(getattr(backend, kernel)(*[_moved(argument, on_device) for argument in args]))
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    if exact or result.dtype.kind != "f":
        np.testing.assert_array_equal(result, expected)
    else:
        eps = np.finfo(result.dtype).eps
        tiny = float(np.finfo(result.dtype).tiny)
        np.testing.assert_allclose(result, expected, rtol=ulps * eps, atol=tiny + ulps * eps * scale)
    return result
