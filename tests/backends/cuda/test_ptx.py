"""Every kernel, for every dtype it is offered for, compiles to machine code of two generations of GPUs.

The simulator sees no types. Here they are all inferred, so that a kernel which only Python could run is found without
a GPU. What each kernel takes is written to build/ptx/.
"""

import importlib
from pathlib import Path

import pytest

from tests.backends.cuda.ptx import CAPABILITIES, parameters, resources, to_ptx

pytestmark = pytest.mark.ptx

#: Modules of kernels, in parts that take about as long: a kind's name without what follows "_", or None for all.
PARTS = [
    ("elementwise", "unary"),
    ("elementwise", "binary"),
    ("elementwise", "where"),
    ("elementwise", "cast"),
    ("elementwise", "fill"),
    ("movement", None),
    ("reductions", None),
    ("indexing", None),
    ("philox", None),
    ("products", None),
]
#: Float32 kernels that compute some of it in float64, and those that keep an array in memory: the library's sin and
#: cos take numbers beyond 10^5 apart bit by bit.
_IN_FLOAT64 = {("fill", "float"), ("unary", "sin"), ("unary", "cos"), ("random", "normal")}
_IN_MEMORY = {"sin", "cos"}
_WIDTH = {"i": "u64", "u": "u64", "d": "f64"}


def _kernels(module, part=None):
    from tinygrad_rnn.backends.cuda import compiling

    kernels = compiling.every(importlib.import_module(f"tinygrad_rnn.backends.cuda.{module}").KINDS)
    return [kernel for kernel in kernels if part in (None, kernel.kind.name.partition("_")[0])]


@pytest.mark.parametrize(("module", "part"), PARTS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_kernel_compiles(capability, module, part, monkeypatch):
    lines, failed = [], []
    for kernel in _kernels(module, part):
        what = f"{kernel.kind.name} {kernel.name} {kernel.dtype}"
        try:
            ptx = to_ptx(kernel, capability, monkeypatch)
        except Exception as error:  # whatever a compiler raises: all that fail are listed
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
    name = f"{part or module}.sm_{capability[0]}{capability[1]}.txt"
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_parts_are_all_kernels_there_are_and_no_two_share_a_name():
    package = Path(importlib.import_module("tinygrad_rnn.backends.cuda").__file__).parent
    modules = {path.stem for path in package.glob("*.py") if "\nKINDS = (" in path.read_text(encoding="utf-8")}
    assert modules == {module for module, _ in PARTS}
    names = [kernel.function().__qualname__ for module in modules for kernel in _kernels(module)]
    in_parts = [kernel.function().__qualname__ for module, part in PARTS for kernel in _kernels(module, part)]
    assert sorted(names) == sorted(in_parts)
    assert len(names) == len(set(names)) > 200
