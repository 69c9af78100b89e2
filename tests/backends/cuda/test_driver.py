"""What the backend asks of NVIDIA's driver, and what it makes of the answers, on a stand-in for the driver.

No kernel runs here: what is computed is not looked at. What is: memory, transfers, launches, waiting, errors, threads.
"""

import gc
import importlib
import struct
import threading

import numpy as np
import pytest

from tests.backends.cuda.stub import build, on_stub

pytestmark = pytest.mark.ptx

#: Everything that makes the CPU wait for the GPU, or (allocating, freeing) the GPU for the CPU.
WAITS = ("cuStreamSynchronize", "cuCtxSynchronize", "cuEventSynchronize", "cuMemcpy", "cuMemcpyHtoD", "cuMemcpyDtoH")
STOPS = (*WAITS, "pageable", "cuMemAlloc", "cuMemFree", "cuMemHostAlloc", "cuMemFreeHost")


@pytest.fixture(scope="session")
def stub_driver(tmp_path_factory):
    return build(tmp_path_factory.mktemp("driver"))


# ---- the stand-in itself ------------------------------------------------------------------------------------------


@on_stub()
def test_the_stand_in_records_the_parameters_of_a_launch(stub):
    from cuda.core import Device, LaunchConfig, launch
    from numba import cuda, types

    @cuda.jit(types.void(types.CPointer(types.float32), types.float64, types.uint64, types.int64))
    def kernel(out, x, u, n):
        out[0] = x + u + n

    stream = Device(0).create_stream()
    (compiled,) = kernel.overloads.values()
    function = compiled.library.get_cufunc()
    launch(stream, LaunchConfig(grid=(7, 2), block=64), function.kernel, 2**40, 1.5, np.uint64(2**63 + 1), -3)
    seen = stub.launch()
    assert (*seen.grid, *seen.block) == (7, 2, 1, 64, 1, 1)
    assert b"".join(seen.values()) == struct.pack("<QdQq", 2**40, 1.5, 2**63 + 1, -3)
    assert seen.name.decode() == compiled.entry_name
    assert stub.launch(1) is None
    assert 4 <= function.attrs.regs <= 40
    with pytest.raises(Exception, match="grid"):
        launch(stream, LaunchConfig(grid=0, block=64), function.kernel, 0, 0.0, 0, 0)
    with pytest.raises(Exception, match="CUDA_ERROR_INVALID_VALUE"):
        launch(stream, LaunchConfig(grid=1, block=2048), function.kernel, 0, 0.0, 0, 0)


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


# ---- waiting ------------------------------------------------------------------------------------------------------


def _model():
    """A small network with all that a training step needs; returns the step."""
    import tinygrad_rnn as tg
    from tinygrad_rnn import nn, optim

    tg.manual_seed(0)
    embedding, lstm, head = nn.Embedding(11, 8), nn.LSTM(8, 6, num_layers=2, dropout=0.25), nn.Linear(6, 11)
    model = nn.Sequential(embedding, lstm, head).to("cuda")
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    ids = np.random.default_rng(0).integers(0, 11, (7, 3))
    inputs, targets = tg.tensor(ids[:-1], device="cuda"), tg.tensor(ids[1:], device="cuda")

    def step():
        optimizer.zero_grad()
        hidden, _ = lstm(embedding(inputs))
        logits = head(hidden)
        loss = nn.CrossEntropyLoss()(logits.reshape(-1, 11), targets.reshape(-1))
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return step


@on_stub()
def test_a_training_step_never_waits_until_its_loss_is_read(stub):
    step = _model()
    for _ in range(3):  # compiles, and fills the pool
        loss = step()
    loss.item()
    for hold in (False, True):  # a fast GPU, and one that has not even begun
        stub.reset()
        stub.hold(hold)
        for _ in range(3):
            loss = step()
        forbidden = WAITS if hold else STOPS
        found = {name: stub.calls(name) for name in forbidden if stub.calls(name)}
        assert not found, found
        assert stub.calls("cuMemcpyDtoHAsync") == 0
        loss.item()
        assert (stub.calls(*WAITS), stub.calls("cuMemcpyDtoHAsync")) == (1, 1)


@on_stub()
def test_reading_waits_once(stub):
    import tinygrad_rnn as tg

    x = tg.tensor(np.ones((4, 3), np.float32), device="cuda")
    reads = {
        "numpy": x.numpy,
        "numpy of a view": x.transpose(0, 1).numpy,
        "item": x[0, 0].item,
        "repr": lambda: repr(x),
        "to('cpu')": lambda: x.to("cpu"),
        "tolist": x.numpy().tolist,
    }
    for what, read in reads.items():
        for _ in range(2):
            stub.reset()
            read()
            assert stub.calls(*WAITS) == (what != "tolist"), what


# ---- launches -----------------------------------------------------------------------------------------------------

_PACKED = {"x": "Q", "o": "Q", "k": "Q", "c": "Q", "i": "q", "u": "Q", "d": "d"}


def _checking_launches(stub, monkeypatch):
    """From now on compare what the kernel of every launch would see with what the backend meant; returns the names."""
    from tinygrad_rnn.backends.cuda import compiling, memory

    seen = set()
    launch = compiling.Kernel.launch

    def dropped(pointer):
        lists = memory.pool._lists.values()
        return any(start <= pointer < start + waiting.size for waiting in lists for start in waiting)

    def checked(self, blocks, threads, *arguments):
        launch(self, blocks, threads, *arguments)
        record = stub.launch()
        what = f"{self.kind.name} {self.name} {self.dtype}"
        assert f"{self.kind.name}_{self.name}" in record.name.decode(), what
        assert len(arguments) == len(self.kind.arguments) == record.parameters, what
        for letter, argument, value in zip(self.kind.arguments, arguments, record.values(), strict=True):
            meant = argument & (2**64 - 1) if letter == "u" else argument
            assert value == struct.pack(f"<{_PACKED[letter]}", meant), f"{what}: {letter} {argument!r} came as {value}"
            if letter == "d":
                assert isinstance(argument, float), f"{what}: {argument!r} would arrive as an integer"
            if letter in "xokc":
                assert stub.on_device(argument), f"{what}: {argument:#x} is no device memory"
                assert not dropped(argument), f"{what}: {letter} is in memory that already waits for its next owner"
        sizes = [n if isinstance(n, tuple) else (n,) for n in (blocks, threads)]
        assert (*record.grid, *record.block) == tuple(n for s in sizes for n in (*s, 1, 1, 1)[:3]), what
        seen.add((self.kind.name, self.name, self.dtype))

    monkeypatch.setattr(compiling.Kernel, "launch", checked)
    return seen


@on_stub()
def test_kernels_see_the_parameters_the_backend_means(stub):
    import tinygrad_rnn as tg
    from tests.backends.cuda.test_ptx import MODULES
    from tests.engine import op_cases
    from tinygrad_rnn import backends
    from tinygrad_rnn.backends.cuda import memory

    with pytest.MonkeyPatch.context() as monkeypatch:
        seen = _checking_launches(stub, monkeypatch)
        _model()()
        for case in op_cases.CASES:
            inputs = [tg.tensor(x, "float32", device="cuda", requires_grad=True) for x in case.inputs]
            for output in op_cases.outputs(case.call(*inputs)):
                if output.requires_grad:
                    output.sum().backward(retain_graph=True)
        backend = backends.get("cuda")
        memory.pool.empty()  # fresh memory is zero, and stays it: norm looks at what it reads
        x = backend.fill((3, 5), 0.5, tg.float64)
        truth = backend.binary("lt", x, x)
        backend.where(truth, x, x)
        backend.all_finite(x)
        backend.norm(x)
        for kernel in ("naive", "tiled", None):
            backend.matmul(backend.permute(x, (1, 0)), x, kernel)
        backend.fill((3,), True, tg.bool_)
    kinds = {kind.name for module in MODULES for kind in _kinds(module)}
    assert kinds == {kind for kind, _, _ in seen}, f"not launched here: {kinds - {kind for kind, _, _ in seen}}"
    assert len(seen) > 80


def _kinds(module):
    return importlib.import_module(f"tinygrad_rnn.backends.cuda.{module}").KINDS


@on_stub(STUB_MEMORY=2**46)
def test_arrays_of_any_size_can_be_launched(stub):
    """More than 2^31 elements, more than 65,535 of what a grid counts along y or z: memory that nobody touches."""
    from tinygrad_rnn import backends, dtypes
    from tinygrad_rnn.backends.cuda import array

    backend = backends.get("cuda")
    number, whole = dtypes.float32, dtypes.int64
    for shape in [(2**32 + 5,), (3, 2**31), (2**30, 3), (70_000, 70_000), (70_000, 3, 70_000), (1000, 70_000, 70)]:
        x = array.empty(shape, number)
        backend.unary("exp", x)
        backend.fill(shape, 1.0, number)
        backend.cast(x, whole)
        backend.binary("add", x, array.empty(shape[-1:], number))
        backend.copy(backend.permute(x, tuple(reversed(range(x.ndim)))))
        backend.random("normal", array.empty((), whole), array.empty((), whole), shape, number)
        for axes in [(axis,) for axis in range(x.ndim)] + [tuple(range(x.ndim))]:
            backend.reduce("sum", x, axes, False)
        for axis in range(x.ndim):
            backend.argmax(x, axis, False)
            index = array.empty((3,), whole)
            backend.gather(x, index, axis)
            backend.scatter_add(backend.gather(x, index, axis), index, axis, x.shape[axis])
    index = array.empty((2**31 + 1,), whole)
    backend.scatter_add(backend.gather(array.empty((70_000, 3), number), index, 0), index, 0, 70_000)
    for a, b in [
        ((70_000, 3, 5), (70_000, 5, 2)),
        ((300, 300, 3, 5), (300, 300, 5, 2)),
        ((70_000, 3, 5), (5, 2)),
        ((70_000, 2), (2, 70_000)),
        ((2**30, 2), (2, 3)),
        ((3, 2), (2, 2**30)),
    ]:
        backend.matmul(array.empty(a, number), array.empty(b, number))


@on_stub()
def test_a_kernel_that_fails_is_a_device_error(stub):
    import tinygrad_rnn as tg
    from tinygrad_rnn.errors import DeviceError

    x = tg.tensor(np.ones(5, np.float32), device="cuda")
    x.exp()
    stub.fail("cuLaunchKernelEx", 700)
    with pytest.raises(DeviceError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        x.exp()
    stub.reset()
    stub.fail("cuStreamSynchronize", 700)
    with pytest.raises(DeviceError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        x.numpy()
    stub.reset()
    assert x.numpy().tolist() == [1] * 5


@on_stub()
def _first_process(stub):
    import tinygrad_rnn as tg

    tg.ones(5, device="cuda").exp()


@on_stub()
def _second_process(stub):
    import numba.cuda.dispatcher

    numba.cuda.dispatcher.compile_cuda = None  # whoever compiles fails
    _first_process.body(stub)
    assert stub.calls("cuLaunchKernelEx") == 2


def test_kernels_are_compiled_once_and_kept_on_disk(stub_driver):
    _first_process(stub_driver)
    _second_process(stub_driver)


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
