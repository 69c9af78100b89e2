"""What the compilers make of the register-blocked matrix products: the point of them is where the numbers live."""

import importlib

import pytest

from tests.backends.cuda.ptx import CAPABILITIES, resources, to_ptx

pytestmark = pytest.mark.ptx


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize(
    ("kernel", "dtype", "load", "loads", "products", "registers"),
    [
        ("register_blocked_8", "float32", "v4.f32", 32, 512, 128),  # with more, blocks of 256 would not fit in pairs
        ("register_blocked_4", "float32", "v4.f32", 16, 128, 80),
        ("register_blocked_2", "float32", "v2.f32", 16, 32, 80),
        ("register_blocked_4", "float64", "v2.f64", 32, 128, 128),
        ("register_blocked_2", "float64", "v2.f64", 16, 32, 80),
    ],
)
def test_sums_stay_in_registers(kernel, dtype, load, loads, products, registers, capability, monkeypatch):
    """All loops over a square are unrolled, and shared memory is read 16 bytes (or a whole row of 2) at a time."""
    from tinygrad_rnn.backends.cuda.compiling import Kernel

    matmul = importlib.import_module("tinygrad_rnn.backends.cuda.products")
    ptx = to_ptx(Kernel(matmul.KINDS[0], kernel, dtype), capability, monkeypatch)
    assert ptx.count(f"ld.shared.{load}") == ptx.count("ld.shared.") == loads
    assert ptx.count("fma.rn.") == products
    assert ".local" not in ptx
    assert resources(ptx, capability).registers <= registers
