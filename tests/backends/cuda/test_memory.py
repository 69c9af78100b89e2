"""The pool of device memory."""

import gc

import numpy as np
import pytest

from tinygrad_rnn import backends
from tinygrad_rnn.errors import OutOfMemoryError

pytestmark = pytest.mark.cuda


@pytest.fixture
def pool():
    backends.get("cuda")
    from tinygrad_rnn.backends.cuda import memory

    gc.collect()
    memory.pool.empty()
    return memory.pool


def test_memory_is_used_again_as_soon_as_its_last_view_is_gone(pool):
    backend = backends.get("cuda")
    x = backend.fill((64, 3), 1.0, np.dtype("float32"))
    view = backend.getitem(x, (slice(1, 9),))
    where = x.block.memory
    del x
    other = backend.fill((64, 3), 2.0, np.dtype("float32"))
    assert other.block.memory is not where
    np.testing.assert_array_equal(backend.to_numpy(view), np.ones((8, 3)))
    del view
    assert backend.fill((64, 3), 3.0, np.dtype("float32")).block.memory is where


def test_ten_thousand_allocations_ask_the_driver_for_what_is_alive_at_once(pool, monkeypatch):
    from tinygrad_rnn.backends.cuda import driver

    asked = []
    device = driver.device()
    original = device.allocate
    monkeypatch.setattr(device, "allocate", lambda nbytes: asked.append(nbytes) or original(nbytes))
    monkeypatch.setattr(pool, "poison", False)
    rng = np.random.default_rng(0)
    alive = [None] * 8
    for _ in range(10_000):
        alive[rng.integers(8)] = pool.take(int(rng.integers(1, 5)) * 1000)
    assert len(asked) <= 4 * 9  # of each size, eight that are kept and the one on its way
    before = pool.reserved
    assert before == sum(block._home.size for block in alive if block) + pool.unused
    del alive
    assert pool.reserved == before == pool.unused
    pool.empty()
    assert (pool.reserved, pool.unused) == (0, 0)


def test_size_classes_waste_an_eighth_at_most(monkeypatch):
    backends.get("cuda")
    from tinygrad_rnn.backends.cuda import memory

    monkeypatch.setattr(memory.driver, "simulated", False)
    for nbytes in (0, 1, 511, 512, 513, 4095, 4097, 10_000, 10**6, 2**26, 2**26 + 1, 10**9 + 7):
        size = memory._rounded(nbytes, 512)
        assert size >= max(nbytes, 1)
        assert size % 512 == 0
        assert size <= max(512 * (nbytes // 512 + 1), nbytes * 1.125)
    classes = {memory._rounded(n, 512) for n in range(2**20, 2**21, 4096)}
    assert len(classes) <= 9


def test_memory_of_a_new_array_is_poisoned_when_asked(pool, monkeypatch):
    from tinygrad_rnn.backends.cuda.array import empty

    monkeypatch.setattr(pool, "poison", True)
    for _ in range(2):  # fresh memory, then the same again
        x = empty((3, 5), np.dtype("float32"))
        assert np.isnan(backends.get("cuda").to_numpy(x)).all()
        del x


def test_out_of_memory_is_an_error_that_leaves_the_process_usable(pool, monkeypatch):
    from tinygrad_rnn.backends.cuda import driver

    backend = backends.get("cuda")
    kept = backend.fill((100,), 7.0, np.dtype("float32"))
    if driver.simulated:  # which has no limit of its own
        device = driver.device()
        original = device.allocate
        monkeypatch.setattr(device, "allocate", lambda nbytes: None if nbytes > 10**6 else original(nbytes))
    with pytest.raises(OutOfMemoryError, match=r"no room for \d+.* MiB more.*smaller batch"):
        backend.fill((2**40,), 1.0, np.dtype("float32"))
    with pytest.raises(MemoryError):
        backend.fill((2**40,), 1.0, np.dtype("float32"))
    assert backend.to_numpy(backend.binary("add", kept, kept)).tolist() == [14.0] * 100


def test_what_lies_unused_is_returned_before_giving_up(pool, monkeypatch):
    from tinygrad_rnn.backends.cuda import driver

    device = driver.device()
    refused = []

    def allocate(nbytes):
        if pool.unused:
            refused.append(nbytes)
            return None
        return original(nbytes)

    pool.take(1000)  # and gone again: unused
    original = device.allocate
    monkeypatch.setattr(device, "allocate", allocate)
    block = pool.take(50_000)
    assert len(refused) == 1
    assert pool.unused == 0
    assert block.memory is not None


def test_to_numpy_waits_for_everything_before_it():
    backend = backends.get("cuda")
    x = backend.fill((1000,), 0.0, np.dtype("float64"))
    one = backend.fill((), 1.0, np.dtype("float64"))
    for _ in range(50):
        x = backend.binary("add", x, one)
    assert backend.to_numpy(x).tolist() == [50.0] * 1000
