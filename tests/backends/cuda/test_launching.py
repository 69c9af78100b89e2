"""How kernels are launched, and when the backend waits for them.

On a stand-in for NVIDIA's driver, which records launches and runs nothing: what kernels compute is not looked at.
"""

import importlib
import struct

import numpy as np
import pytest

from tests.backends.cuda.stub import STOPS, WAITS, on_stub

pytestmark = pytest.mark.ptx


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
    from tests.backends.cuda.test_ptx import PARTS
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
    kinds = {kind.name for module in {module for module, _ in PARTS} for kind in _kinds(module)}
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
