"""What the backend asks of NVIDIA's driver, and what it makes of the answers: devices, memory, transfers, threads.

On a stand-in for the driver. No kernel runs here, so what kernels compute is not looked at.
"""

import contextlib
import gc
import threading

import numpy as np
import pytest

from tests.backends.cuda.stub import WAITS, on_stub

pytestmark = pytest.mark.ptx


# ---- finding a device ---------------------------------------------------------------------------------------------


@on_stub(STUB_MEMORY=64 * 2**20)
def test_the_gpu_is_found_and_described(stub):
    from tinygrad_rnn.backends.cuda import driver

    assert driver.missing() is None
    device = driver.device()
    assert device is driver.device()
    assert device.name == "Stub GPU 0"
    assert (device.multiprocessors, driver.multiprocessors()) == (132, 132)
    assert device.compute_capability == (9, 0)
    assert device.memory_text() == "64 of 64 MiB on Stub GPU 0 are free"


def _says_that_there_is_no_gpu(*words):
    import tinygrad_rnn as tg
    from tinygrad_rnn.errors import DeviceError

    with pytest.raises(DeviceError, match="NUMBA_ENABLE_CUDASIM=1") as caught:
        tg.tensor([1.0], device="cuda")
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert tg.tensor([1.0]).numpy() == 1  # the CPU goes on


@on_stub(STUB_DEVICES=0, STUB_INIT_ERROR=0)
def test_no_device(stub):
    _says_that_there_is_no_gpu("no NVIDIA GPU can be used", "lists no device")


@on_stub(STUB_DEVICES=0)
def test_no_device_as_newer_drivers_say_it(stub):
    _says_that_there_is_no_gpu("no NVIDIA GPU can be used", "CUDA_ERROR_NO_DEVICE")


@on_stub(STUB_INIT_ERROR=803)
def test_a_driver_that_does_not_fit(stub):
    _says_that_there_is_no_gpu("no NVIDIA GPU can be used", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")


# ---- memory -------------------------------------------------------------------------------------------------------


def _come_and_go(random, count):
    """Make arrays of mixed sizes, up to 24 alive at a time; return the most bytes that were alive."""
    from tinygrad_rnn import dtypes
    from tinygrad_rnn.backends.cuda import array

    alive, most = [], 0
    for _ in range(count):
        if len(alive) == 24:
            alive.pop(int(random.integers(24)))
        shape = tuple(int(n) for n in random.integers(1, (40, 50, 20)))
        alive.append(array.empty(shape, random.choice([dtypes.float32, dtypes.float64, dtypes.bool_])))
        most = max(most, sum(x.size * x.dtype.itemsize for x in alive))
    return most


@on_stub()
def test_ten_thousand_allocations_without_asking_the_driver(stub):
    most = _come_and_go(np.random.default_rng(0), 2_000)
    assert 0 < stub.calls("cuMemAlloc") < 500
    assert stub.used < 10 * most
    stub.reset()
    for seed in range(5):  # 10,000 arrays whose sizes the pool has seen, in another order
        _come_and_go(np.random.default_rng(seed), 2_000)
    assert stub.calls("cuMemAlloc", "cuMemFree") < 50
    stub.reset()
    for seed in range(5):
        _come_and_go(np.random.default_rng(seed), 2_000)
    assert stub.calls("cuMemAlloc", "cuMemFree", *WAITS) == 0


@on_stub(STUB_MEMORY=64 * 2**20)
def test_out_of_memory_names_sizes_and_leaves_the_process_usable(stub):
    import tinygrad_rnn as tg
    from tinygrad_rnn.errors import DeviceError, OutOfMemoryError

    held = [tg.tensor(np.full(2**20, i, np.float32), device="cuda") for i in range(15)]  # 4 MiB each
    with pytest.raises(OutOfMemoryError) as caught:
        tg.zeros(2 * 2**20, device="cuda")
    text = str(caught.value)
    assert isinstance(caught.value, (DeviceError, MemoryError))
    assert "8.0 MiB" in text, text  # asked for
    assert "60.0 MiB" in text, text  # held by this process
    assert "4 of 64 MiB on Stub GPU 0" in text, text  # of the whole GPU
    assert all(x.numpy()[-1] == i for i, x in enumerate(held)), "what was there before is still valid"
    small = tg.tensor(np.arange(5.0), device="cuda")
    assert small.numpy().tolist() == [0, 1, 2, 3, 4]
    (small + small).exp().sum()
    del held
    assert tg.tensor(np.full(10 * 2**20, 7, np.float32), device="cuda").numpy()[-1] == 7


@on_stub(STUB_MEMORY=64 * 2**20)
def test_unused_memory_is_given_back_before_giving_up(stub):
    import tinygrad_rnn as tg
    from tinygrad_rnn.backends.cuda import memory

    kept = tg.tensor(np.full(2**20, 3, np.float32), device="cuda")
    unused = [tg.tensor(np.zeros(2**20, np.float32), device="cuda") for _ in range(14)]
    del unused
    assert memory.pool.unused == 14 * 4 * 2**20
    stub.reset()
    large = tg.tensor(np.full(12 * 2**20, 5, np.float32), device="cuda")
    assert stub.calls("cuMemFree") == 14
    assert stub.used == memory.pool.reserved == 52 * 2**20
    assert memory.pool.unused == 0
    assert (large.numpy()[-1], kept.numpy()[-1]) == (5, 3)


@on_stub(STUB_MEMORY=64 * 2**20)
def test_a_backward_pass_that_runs_out_of_memory_can_be_run_again_smaller(stub):
    import tinygrad_rnn as tg
    from tinygrad_rnn.errors import OutOfMemoryError

    def train(n):
        x = tg.ones(n, device="cuda", requires_grad=True)
        y = x.exp()
        for _ in range(6):
            y = (y * x).tanh()
        y.sum().backward()
        return x.grad

    with pytest.raises(OutOfMemoryError):
        train(2**20)
    gc.collect()
    assert train(2**17).shape == (2**17,)


# ---- transfers ----------------------------------------------------------------------------------------------------


@on_stub()
def test_what_goes_to_the_gpu_comes_back(stub):
    from tinygrad_rnn import backends

    backend = backends.get("cuda")
    random = np.random.default_rng(0)
    for shape in [(), (0,), (1,), (3, 5), (1000, 33), (2**18,)]:
        for dtype in (np.float32, np.float64, np.int64, np.bool_):
            x = np.asarray(random.integers(0, 2, shape), dtype)
            back = backend.to_numpy(backend.from_numpy(x))
            assert (back.dtype, back.shape) == (x.dtype, x.shape)
            np.testing.assert_array_equal(back, x)
    assert stub.calls("cuMemcpy", "cuMemcpyHtoD", "cuMemcpyDtoH", "pageable") == 0, "all by way of pinned memory"


@on_stub()
def test_pinned_memory_is_reused_only_when_its_copy_has_ended(stub):
    from tinygrad_rnn import backends

    backend = backends.get("cuda")
    stub.hold(True)  # a GPU that does nothing until somebody waits for it
    sent = [np.full(5000, i, np.int64) for i in range(20)]
    arrays = [backend.from_numpy(x) for x in sent]
    assert stub.calls(*WAITS) == 0, "an upload does not wait"
    assert stub.calls("cuMemHostAlloc") == 20
    for x, there in zip(sent, arrays, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(there), x)
    stub.reset()
    again = [backend.from_numpy(x) for x in sent]
    assert stub.calls("cuMemHostAlloc") < 3, "buffers whose copies have ended are used again"
    for x, there in zip(sent, again, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(there), x)


@on_stub()
def test_a_source_may_be_overwritten_right_after_its_upload(stub):
    import tinygrad_rnn as tg

    stub.hold(True)
    x = np.arange(1000.0)
    there = tg.tensor(x, device="cuda")
    x[:] = -1
    np.testing.assert_array_equal(there.numpy(), np.arange(1000.0))


@on_stub()
def test_uploads_that_outrun_the_gpu_do_not_fill_the_memory_of_the_cpu(stub):
    from tinygrad_rnn import backends
    from tinygrad_rnn.backends.cuda import gpu

    gpu._MOST_IN_FLIGHT = 10 * 2**20
    stub.hold(True)
    arrays = [backends.get("cuda").from_numpy(np.full(2**17, i, np.float64)) for i in range(100)]  # 1 MiB each
    assert 5 <= stub.calls("cuMemHostAlloc") <= 15
    assert all(backends.get("cuda").to_numpy(x)[-1] == i for i, x in enumerate(arrays))


@on_stub(STUB_MEMORY=512 * 2**20)
def test_large_arrays_travel_in_pieces_and_lock_little_memory_of_the_cpu(stub):
    from tinygrad_rnn import backends
    from tinygrad_rnn.backends.cuda import gpu

    backend = backends.get("cuda")
    gpu._PIECE = 2**20
    for nbytes in (2**20 - 8, 2**20, 2**20 + 8, 5 * 2**20 + 16):
        x = np.arange(nbytes // 8)
        np.testing.assert_array_equal(backend.to_numpy(backend.from_numpy(x)), x)
        tail = backend.getitem(backend.from_numpy(x), (slice(7, None),))
        np.testing.assert_array_equal(backend.to_numpy(tail), x[7:])
    assert stub.calls("cuMemHostAlloc") <= 30


@on_stub()
def test_a_cpu_without_memory_to_lock_is_told_apart_from_a_full_gpu(stub):
    import tinygrad_rnn as tg
    from tinygrad_rnn.errors import OutOfMemoryError

    tg.zeros(1, device="cuda")
    stub.fail("cuMemHostAlloc", 2)
    with pytest.raises(OutOfMemoryError, match=r"the CPU has no .* MiB of memory that can be locked"):
        tg.tensor(np.zeros(10**6), device="cuda")
    stub.reset()
    assert tg.tensor([1.0, 2.0], device="cuda").shape == (2,)


# ---- threads ------------------------------------------------------------------------------------------------------


def _in_threads(*actions):
    """Run actions beside each other, each in a thread of its own; raise what one of them raises."""
    failed = []

    def run(action):
        try:
            action()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


@on_stub()
def test_a_new_thread_may_begin_with_anything(stub):
    """The driver wants to be told by every thread which GPU it means."""
    from tinygrad_rnn import backends, dtypes
    from tinygrad_rnn.backends.cuda import array, memory

    backend = backends.get("cuda")
    numbers = np.ones(1000, np.float32)
    x = backend.from_numpy(numbers)
    beginnings = {
        "an upload": lambda: backend.from_numpy(numbers),
        "a kernel": lambda: backend.unary("exp", x),
        "reading": lambda: backend.to_numpy(x),
    }
    for begin in beginnings.values():  # compiles, and fills the pools of memory
        begin()
    beginnings["a kernel that is not compiled"] = lambda: backend.unary("abs", x)
    beginnings["memory from the driver"] = lambda: array.empty((123_456,), dtypes.float32)
    beginnings["memory to the driver"] = memory.pool.empty
    for what, begin in beginnings.items():
        stub.reset()
        try:
            _in_threads(begin)
        except BaseException as error:
            raise AssertionError(f"a thread could not begin with {what}") from error
    assert stub.calls("cuMemFree") > 0


@on_stub()
def test_two_threads_may_compute(stub):
    import tinygrad_rnn as tg

    def work(seed):
        random = np.random.default_rng(seed)
        for i in range(200):
            x = random.integers(0, 100, int(random.integers(1, 3000)))
            there = tg.tensor(x, device="cuda")
            tg.ones(i + 1, device="cuda", requires_grad=True).exp().sum().backward()
            np.testing.assert_array_equal(there.numpy(), x)

    _in_threads(lambda: work(0), lambda: work(1))


@on_stub()
def test_threads_that_come_together_find_one_gpu(stub):
    import tinygrad_rnn as tg
    from tinygrad_rnn import backends
    from tinygrad_rnn.backends.cuda import gpu

    made, original = [], gpu.Gpu.__init__

    def counted(self):
        made.append(self)
        with contextlib.suppress(threading.BrokenBarrierError):
            another.wait(0.3)  # so long a second thread may come here, too
        original(self)

    gpu.Gpu.__init__ = counted
    together, another = threading.Barrier(4), threading.Barrier(2)

    def begin():
        together.wait()
        tg.zeros(3, device="cuda")
        backends.get("cuda").driver.device().synchronize()

    _in_threads(*[begin] * 4)
    assert len(made) == 1
