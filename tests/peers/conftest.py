"""Other people's tests: `make test-peers` runs what PyTorch, HIPS autograd and ONNX test themselves with, a minute.

- `test_torch_ops.py`: the samples and wrong inputs of PyTorch's `OpInfo`, for every op that this library has too.
  `names.py` finds it by its name; what goes by another name, or is an operator, stands there.
- `test_torch_modules.py`: those of `ModuleInfo`, for the layers, cells, recurrent networks and losses of `nn`.
- `test_hips_autograd.py`: first and second derivatives beside autograd's.
- `test_onnx.py`: 1,000 random recurrent operators beside onnxruntime, and ONNX's own tests of RNN, GRU and LSTM.
- `comparing.py` runs one sample through both; `results.py` counts, and writes `RESULTS.md` with `--write-table`.
- `differences.py` is the one list of what differs, with its reasons. What differs otherwise fails, and so does an
  entry of the list that is not true any more. To add an op to this library is to see here whether it is torch's.

Only `-m peers` collects this folder: importing PyTorch's samples alone takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", action="store_true", help="write what was counted to tests/peers/RESULTS.md")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if config.getoption("-m") == "peers" else True


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[object]:
    """Counts the samples of a file of tests."""
    from tests.peers.results import Tally  # imports torch

    counted = Tally()
    yield counted
    request.config.stash.setdefault(TALLIES, {})[request.module.__name__.rpartition(".")[2]] = counted


TALLIES: pytest.StashKey[dict[str, object]] = pytest.StashKey()


def pytest_sessionfinish(session: pytest.Session) -> None:
    tallies = session.config.stash.get(TALLIES, {})
    if tallies and session.config.getoption("--write-table"):
        from tests.peers.results import write

        write(tallies)
