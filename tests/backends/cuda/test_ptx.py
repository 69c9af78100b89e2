"""Every kernel, for every dtype it is offered for, compiles to machine code of two generations of GPUs.

The simulator sees no types. Here they are all inferred, so that a kernel which only Python could run is found without
a GPU. What each kernel takes is written to build/ptx/.
"""

import importlib
from pathlib import Path

import pytest

from tests.backends.cuda.ptx import CAPABILITIES, parameters, resources, to_ptx

pytestmark = pytest.mark.ptx

MODULES = ["elementwise", "movement", "reduce", "indexing", "random", "matmul"]
#: Float32 kernels that compute some of it in float64, and those that keep an array in memory: the library's sin and
#: cos take numbers beyond 10^5 apart bit by bit.
_IN_FLOAT64 = {("fill", "float"), ("unary", "sin"), ("unary", "cos"), ("random", "normal")}
_IN_MEMORY = {"sin", "cos"}
_WIDTH = {"i": "u64", "u": "u64", "d": "f64"}


def _kernels(module):
    from tinygrad_rnn.backends.cuda import compiling

    return list(compiling.every(importlib.import_module(f"tinygrad_rnn.backends.cuda.{module}").KINDS))


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_kernel_compiles(capability, module, monkeypatch):
    lines, failed = [], []
    for kernel in _kernels(module):
        what = f"{kernel.kind.name} {kernel.name} {kernel.dtype}"
        try:
            ptx = to_ptx(kernel, capability, monkeypatch)
        except Exception as error:
            failed.append(f"{what}: {type(error).__name__}: {error}")
            continue
        taken = resources(ptx, capability)
        lines.append(
            f"{what:48} {taken.registers:4} registers {taken.shared:6} B shared {taken.stack:4} B stack "
            f"{taken.spilled:4} B spilled"
        )
        expected = [_WIDTH.get(letter, "u64") for letter in kernel.kind.arguments]
        if [width.replace("b64", "u64") for width in parameters(ptx)] != expected:
            failed.append(f"{what}: its parameters are {parameters(ptx)}, the launch passes {expected}")
        floats = {kernel.dtype, kernel.result}
        allowed = (kernel.kind.name.partition("_")[0], kernel.name) in _IN_FLOAT64
        if ".f64" in ptx and "float64" not in floats and not allowed:
            failed.append(f"{what}: computes in float64")
        if taken.spilled or (taken.stack and kernel.name not in _IN_MEMORY):
            failed.append(f"{what}: {taken}")
    assert not failed, "\n".join(failed)
    folder = Path("build/ptx")
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{module}.sm_{capability[0]}{capability[1]}.txt"
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_no_two_kernels_share_a_name():
    names = [kernel.function().__qualname__ for module in MODULES for kernel in _kernels(module)]
    assert len(names) == len(set(names)) > 200
