"""Random numbers on the device: those of the reference, for every seed, counter and size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.checking import FLOATS, examples
from tests.backends.cuda.layouts import check, on_device
from tinygrad_rnn import backends
from tinygrad_rnn.errors import DeviceError

pytestmark = pytest.mark.cuda

whole = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)).map(lambda number: np.array(number, np.int64))
shapes = st.lists(st.integers(0, 5), max_size=2).map(tuple)


@pytest.mark.parametrize("dtype", FLOATS)
@examples
@given(seed=whole, counter=whole, shape=shapes)
def test_uniform_numbers_are_the_same_to_the_last_bit(dtype, seed, counter, shape):
    result = check("random", "uniform", seed, counter, shape, np.dtype(dtype), exact=True)
    assert ((result >= 0) & (result < 1)).all()


@pytest.mark.parametrize("dtype", FLOATS)
@examples
@given(seed=whole, counter=whole, shape=shapes)
def test_normal_numbers_are_the_same_within_the_last_place(dtype, seed, counter, shape):
    check("random", "normal", seed, counter, shape, np.dtype(dtype), ulps=2 if dtype == "float32" else 8)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_sizes_around_the_edges_of_blocks(kind):
    from tinygrad_rnn.backends.cuda.elementwise import THREADS, blocks_for

    one_round = 2 * THREADS * blocks_for(10**9)  # each thread makes two numbers
    for size in (2 * THREADS - 1, 2 * THREADS, 2 * THREADS + 1, one_round - 1, one_round, one_round + 1):
        check("random", kind, np.array(7), np.array(2**40), (size,), np.dtype("float32"), ulps=2)


def test_numbers_go_on_where_the_counter_stands():
    backend = backends.get("cuda")

    def draw(counter, size):
        numbers = backend.random(
            "uniform", on_device(np.array(1)), on_device(np.array(counter)), (size,), np.dtype("f4")
        )
        return backend.to_numpy(numbers).tolist()

    assert draw(0, 7) == draw(0, 4) + draw(2, 3)
    assert draw(0, 7) != draw(1, 7)


def test_seed_and_counter_may_be_views_and_are_not_waited_for(monkeypatch):
    from tinygrad_rnn.backends.cuda import memory

    backend = backends.get("cuda")
    state = on_device(np.array([5, 11, 3]))
    seed, counter = backend.getitem(state, (-1,)), backend.getitem(state, (1,))
    with monkeypatch.context() as patch:
        patch.delattr(memory, "download")
        numbers = backend.random("uniform", seed, counter, (5,), np.dtype("float64"))
    expected = backend.random("uniform", on_device(np.array(3)), on_device(np.array(11)), (5,), np.dtype("float64"))
    assert backend.to_numpy(numbers).tolist() == backend.to_numpy(expected).tolist()
    assert backend.to_numpy(state).tolist() == [5, 11, 3]


def test_what_there_is_not():
    backend, zero = backends.get("cuda"), on_device(np.array(0))
    with pytest.raises(DeviceError, match=r"no random kernel 'cauchy'; there are normal, uniform"):
        backend.random("cauchy", zero, zero, (2,), np.dtype("float32"))
    with pytest.raises(TypeError, match="floats, not int64"):
        backend.random("uniform", zero, zero, (2,), np.dtype("int64"))
