"""What a fresh process does: import lightly, compile once, find the machine code again, cope without it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn
from tinygrad_rnn.backends import reference, scalar

PACKAGE = Path(tinygrad_rnn.__file__).parent

RUN_SOME_KERNELS = """
import numpy as np
from tinygrad_rnn.backends import cpu, cpu_loops
x = np.linspace(0.1, 1, 6, dtype="float32").reshape(2, 3)
print(np.abs(cpu.unary("tanh", x) - np.tanh(x)).max() < 1e-6)
print(np.abs(cpu.unary("tanh", x.astype("float64")) - np.tanh(x)).max() < 1e-6)
print((cpu.binary("mul", x, x) == x * x).all(), (cpu.binary("lt", x, x) == (x < x)).all())
print((cpu.binary("add", x, x[0]) == x + x[0]).all())
print(np.abs(cpu.reduce("sum", x, (0, 1), False) - x.sum()) < 1e-6)
statistics = [loop.stats for loop in cpu_loops.dispatchers.values()]
print(sum(sum(s.cache_hits.values()) for s in statistics), sum(sum(s.cache_misses.values()) for s in statistics))
"""
CORRECT = "True\nTrue\nTrue True\nTrue\nTrue\n"


def python(code, cache, path=PACKAGE.parent, **environment):
    """Run code in a fresh interpreter with its own Numba cache; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(path), "NUMBA_CACHE_DIR": str(cache), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=cache, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache that a process has filled."""
    cache = tmp_path_factory.mktemp("compiled")
    assert python(RUN_SOME_KERNELS, cache) == CORRECT + "0 6\n"
    return cache


@pytest.fixture
def cache(compiled, tmp_path):
    """A copy of the filled cache, to be spoilt."""
    return shutil.copytree(compiled, tmp_path / "cache")


def test_import_leaves_numba_alone(tmp_path):
    code = "import sys, tinygrad_rnn; from tinygrad_rnn.backends import cpu, scalar; print('numba' in sys.modules)"
    assert python(code, tmp_path) == "False\n"


def test_second_process_compiles_nothing(compiled):
    assert python(RUN_SOME_KERNELS, compiled) == CORRECT + "6 0\n"


def test_a_broken_cache_is_survived(cache):
    for number, file in enumerate(sorted(cache.rglob("*.nb[ic]"))):
        file.write_bytes(file.read_bytes()[: 0 if number % 2 else 100])
    assert python(RUN_SOME_KERNELS, cache).startswith(CORRECT)


def test_an_index_of_the_cache_with_a_wrong_byte_is_survived(cache):
    for file in cache.rglob("*.nbi"):
        content = bytearray(file.read_bytes())
        content[80] = 0xFE  # in the pickle of a name: reading it raises UnicodeDecodeError
        file.write_bytes(content)
    assert python(RUN_SOME_KERNELS, cache).startswith(CORRECT)


def test_change_of_the_mathematics_is_noticed(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "tinygrad_rnn", ignore=shutil.ignore_patterns("__pycache__"))
    code = "import numpy as np; from tinygrad_rnn.backends import cpu; print(cpu.unary('neg', np.ones(1))[0])"
    assert python(code, tmp_path, tmp_path) == "-1.0\n"
    file = tmp_path / "tinygrad_rnn/backends/scalar.py"
    text = file.read_text()
    assert text.count("return -x\n") == 1
    file.write_text(text.replace("return -x\n", "return x + x\n"))
    assert python(code, tmp_path, tmp_path) == "2.0\n"


@pytest.mark.parametrize(
    "trouble",
    [
        "from numba.core import caching; caching.CacheImpl._locator_classes = []",
        "from numba.core import caching\n"
        "def full(*args): raise OSError(28, 'No space left on device')\n"
        "caching.IndexDataCacheFile.save = full",
    ],
    ids=["nowhere to write", "disk full"],
)
def test_works_without_a_cache(trouble, tmp_path):
    assert python(trouble + RUN_SOME_KERNELS, tmp_path).startswith(CORRECT)


def test_missing_numba_is_explained(tmp_path):
    code = """
import sys
sys.modules["numba"] = None
import numpy as np
from tinygrad_rnn.backends import cpu
from tinygrad_rnn.errors import DeviceError
cpu.binary("add", np.ones(2, int), np.ones(2, int))  # NumPy's work
try:
    cpu.unary("tanh", np.ones(2))
except DeviceError as error:
    print(error)
"""
    message = python(code, tmp_path)
    assert "pip install numba" in message
    assert "TINYGRAD_RNN_BACKEND=reference" in message


def test_kernels_work_slowly_with_the_compiler_switched_off(tmp_path):
    code = f"""
import sys, warnings
import numpy as np
warnings.simplefilter("error")
from tinygrad_rnn.backends import cpu
x = np.array([0.0, 0.3, 1.0, 2.5, 80.0, np.inf, np.nan], "float32")
out = [cpu.unary(kernel, x[:5] if kernel in ("sin", "cos") else x) for kernel in {list(scalar.UNARY)}]
out += [cpu.binary(kernel, x, x[:1]) for kernel in {list(scalar.BINARY)}]
out += [cpu.reduce("sum", x[:5], (0,), False), cpu.reduce("max", x.reshape(1, 7), (0,), True)]
out += [cpu.random(kind, np.asarray(-5), np.asarray(3), (3,), x.dtype) for kind in ("uniform", "normal")]
out += [cpu.scatter_add(x[:3], np.array([0, 2, 0]), 0, 3), cpu.put_slices((2,), [(0,), (slice(2),)], [x[1], x[1:3]])]
np.savez("out.npz", *out)
print(cpu.all_finite(x[:5]), cpu.all_finite(x))
"""
    assert python(code, tmp_path, NUMBA_DISABLE_JIT="1") == "True False\n"
    results = np.load(tmp_path / "out.npz").values()
    x = np.array([0.0, 0.3, 1.0, 2.5, 80.0, np.inf, np.nan], "float32")
    expected = [reference.unary(kernel, x[:5] if kernel in ("sin", "cos") else x) for kernel in scalar.UNARY]
    expected += [reference.binary(kernel, x, x[:1]) for kernel in scalar.BINARY]
    expected += [reference.reduce("sum", x[:5], (0,), False), reference.reduce("max", x.reshape(1, 7), (0,), True)]
    seed, counter = np.asarray(-5), np.asarray(3)
    expected += [reference.random(kind, seed, counter, (3,), x.dtype) for kind in ("uniform", "normal")]
    expected += [reference.scatter_add(x[:3], np.array([0, 2, 0]), 0, 3)]
    expected += [reference.put_slices((2,), [(0,), (slice(2),)], [x[1], x[1:3]])]
    for result, right in zip(results, expected, strict=True):
        assert result.dtype == right.dtype
        np.testing.assert_allclose(result, right, rtol=1e-5, atol=1e-6)
