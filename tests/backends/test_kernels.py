"""Kernels that do not exist."""

import numpy as np
import pytest

from tinygrad_rnn.backends import cpu, reference
from tinygrad_rnn.errors import DeviceError


@pytest.mark.parametrize("backend", [cpu, reference])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_an_unknown_kernel_is_named_with_those_there_are(backend, dtype, shape):
    x, row = np.ones(shape, dtype), np.ones(3, dtype)
    with pytest.raises(DeviceError, match=r"no unary kernel 'softplus'; there are abs, .*, tanh$"):
        backend.unary("softplus", x)
    with pytest.raises(DeviceError, match=r"no binary kernel 'hypot'; there are add, .*eq, .*mul"):
        backend.binary("hypot", x, row)
    with pytest.raises(DeviceError, match=r"no reduce kernel 'median'; there are max, min, prod, sum$"):
        backend.reduce("median", x, (0,), False)
