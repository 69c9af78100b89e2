"""What importing costs, and choosing a backend: each in a process of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.process


def python(program, backend=None):
    environment = {k: v for k, v in os.environ.items() if k != "TINYGRAD_RNN_BACKEND"}
    if backend is not None:
        environment["TINYGRAD_RNN_BACKEND"] = backend
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


BLOCK = """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("numba", "llvmlite"):
                raise ImportError(name + " is blocked")

    sys.meta_path.insert(0, Blocked())
"""


@pytest.mark.parametrize("backend", [None, "cpu", "reference"])
def test_importing_the_package_imports_no_compiler_and_no_drawer(backend):
    done = python(
        """
        import sys
        import numpy
        before = set(sys.modules)
        import tinygrad_rnn
        roots = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(*sorted(roots & {"numba", "llvmlite", "graphviz", "rich", "scipy", "torch", "matplotlib"}))
        """,
        backend,
    )
    assert done.stderr == ""
    assert done.stdout.split() == []


def test_the_reference_backend_needs_no_numba():
    done = python(
        BLOCK
        + """
    import tinygrad_rnn as tg
    x = tg.randn(4, 3, requires_grad=True)
    (x @ x.T).tanh().sum().backward()
    tg.gradcheck(lambda x: x.sigmoid()[[0, 0]], tg.tensor([1.0], dtype="float64", requires_grad=True))
    print(x._node.backend.name, x.grad.shape)
        """,
        "reference",
    )
    assert done.stdout.strip() == "reference (4, 3)", done.stderr


@pytest.mark.parametrize(("chosen", "name"), [(None, "cpu"), ("cpu", "cpu"), ("reference", "reference")])
def test_the_variable_chooses_the_backend_of_the_cpu(chosen, name):
    done = python("import tinygrad_rnn as tg; x = tg.zeros(1); print(x._node.backend.name, x.device)", chosen)
    assert done.stdout.split() == [name, "cpu"], done.stderr


def test_an_unknown_backend_is_named_with_the_choices():
    done = python("import tinygrad_rnn as tg; tg.zeros(1)", "quantum")
    assert done.returncode == 1
    assert "DeviceError: TINYGRAD_RNN_BACKEND='quantum' names no backend; use 'cpu' or 'reference'" in done.stderr


def test_every_name_the_package_promises_is_there():
    import tinygrad_rnn as tg

    assert sorted(tg.__all__) == sorted(set(tg.__all__))
    for name in tg.__all__:
        assert getattr(tg, name) is not None
