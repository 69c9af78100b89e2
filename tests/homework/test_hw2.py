"""The simulated GPU of the second assignment: what goes wrong on some days on a GPU goes wrong each time here."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.remote import Child, StudentError

pytestmark = pytest.mark.process

FOLDER = Path(__file__).parents[2] / "tutorials" / "homework" / "hw2"
KERNELS = """
import numpy as np
from numba import float32, njit
from calling import after, called
from simulator import cuda, launch

@cuda.jit
def reverse(x, out):
    shared = cuda.shared.array(4, float32)
    i = cuda.threadIdx.x
    shared[i] = x[i]
    cuda.syncthreads()
    out[i] = shared[3 - i]

@cuda.jit
def reverse_at_once(x, out):
    shared = cuda.shared.array(4, float32)
    i = cuda.threadIdx.x
    shared[i] = x[i]
    out[i] = shared[3 - i]

@cuda.jit
def some_wait(x, out):
    if cuda.threadIdx.x < 3:
        cuda.syncthreads()

@cuda.jit
def far(x, out):
    out[cuda.grid(1)] = x[cuda.grid(1) - 1]

@cuda.jit
def row(x, out):
    out[:] = x[:]

@njit
def last(x):
    return x[len(x)]

@njit
def text(x, out):
    out[0] = "1"

@njit
def product(x, out):
    out[:] = x @ x
"""


@pytest.fixture
def module():
    files = {"kernels.py": KERNELS} | {
        name: (FOLDER / name).read_text(encoding="utf-8") for name in ("simulator.py", "calling.py")
    }
    with Child(files, ("math", "numba", "numpy"), patience=60.0, threads=16) as child:
        yield child.load("kernels.py")


def test_a_missing_barrier_is_seen_each_time(module):
    x, out = np.arange(4, dtype="f4"), np.zeros(4, "f4")
    for order in range(8):
        arrays, reads = module.launch(module.reverse, 1, 4, x, out, order=order)
        assert arrays[1].tolist() == [3, 2, 1, 0]
        assert reads == [4, 0]
    found = [module.launch(module.reverse_at_once, 1, 4, x, out, order=order)[0][1] for order in range(8)]
    assert np.isnan(found).any(axis=1).all()
    assert found[0].tolist()[2:] == [1, 0]
    assert found[1].tolist()[:2] == [3, 2]


def test_shared_memory_is_new_in_each_block(module):
    x, out = np.arange(4, dtype="f4"), np.zeros(4, "f4")
    (_, got), _ = module.launch(module.reverse_at_once, 2, 4, x, out)
    assert np.isnan(got[:2]).all()


def test_threads_that_part_at_a_barrier_and_indices_outside_are_errors(module):
    x = np.arange(4, dtype="f4")
    for _ in range(3):
        with pytest.raises(StudentError, match="1 of the 4 threads of a block end while the others wait"):
            module.launch(module.some_wait, 1, 4, x, x)
    with pytest.raises(StudentError, match=r"x\[-1\] is outside of x, whose shape is \(4,\)") as caught:
        module.launch(module.far, 1, 4, x, x)
    assert KERNELS.splitlines()[caught.value.line - 1].endswith("x[cuda.grid(1) - 1]")
    with pytest.raises(StudentError, match="a thread reads and writes single numbers"):
        module.launch(module.row, 1, 4, x, x)
    assert module.launch(module.reverse, 1, 4, x, x)[0][1].tolist() == [3, 2, 1, 0]


def test_what_compiled_code_does_wrong_is_told_in_a_line(module):
    x = np.arange(4.0)
    with pytest.raises(StudentError, match="index 4 is out of bounds for axis 0 with size 4") as caught:
        module.called(module.last, x)
    assert KERNELS.splitlines()[caught.value.line - 1].endswith("x[len(x)]")
    with pytest.raises(StudentError, match=r"it has no setitem.*; in the line: out.0. = ") as caught:
        module.after(module.text, x, x)
    assert "\n" not in str(caught.value)
    with pytest.raises(StudentError, match="write the loops"):
        module.after(module.product, np.eye(3), np.eye(3))


@pytest.mark.slow
def test_times_are_shown_of_finished_kernels_only(tmp_path):
    for name, content in building.student_files(FOLDER).items():
        (tmp_path / name).write_bytes(content)

    def show():
        return subprocess.run([sys.executable, "show.py"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert show().stderr.startswith("it takes finished kernels: Task 2.4")
    shutil.copy(FOLDER / "kernels.py", tmp_path)
    done = show()
    assert done.stdout.count(" ms ") == 3, done.stderr
    assert "in tiles of 4 x 4                   864" in done.stdout
    assert "3,456" in done.stdout
