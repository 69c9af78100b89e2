"""Every engine test leaves the modes of its thread as it found them."""

import pytest

from tinygrad_rnn.engine.modes import modes


@pytest.fixture(autouse=True)
def modes_are_restored():
    yield
    left = modes.scope, modes.recorders, modes.grad_enabled
    modes.scope, modes.recorders, modes.grad_enabled = (), (), True
    assert left == ((), (), True)
