"""How the tests run: few hypothesis examples by default (HYPOTHESIS_PROFILE=many searches), one BLAS thread.

`--device cuda` lets the CUDA backend serve device "cpu" as well, so that tests written for the CPU check it unchanged.
"""

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from tests.fake_device import FakeDevice
from tinygrad_rnn import backends

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as behind a shell: Ctrl-C would reach nothing that tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "few",
    max_examples=12,
    deadline=None,
    derandomize=True,  # the same examples in every run: a failure here is a failure everywhere
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("many", settings.get_profile("few"), max_examples=300, derandomize=False)
settings.register_profile("brief", settings.get_profile("few"), max_examples=4)
settings.register_profile("fresh", settings.get_profile("few"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))


def pytest_addoption(parser):
    parser.addoption("--device", choices=["cpu", "cuda"], default="cpu", help="what computes the tests' tensors")


def pytest_configure(config):
    if config.getoption("--device") == "cuda":
        backends._loaded["cpu"] = backends.get("cuda")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "engine" not in item.path.parts:  # their lines are counted while their own tests run: counting takes long
            item.add_marker("no_cover")
    if config.getoption("--device") == "cuda":
        from tinygrad_rnn.backends.cuda.driver import simulated

        host = pytest.mark.skip(reason="about the CPU backend or the memory NumPy shares with it")
        many = pytest.mark.skip(reason="would take the simulator minutes")
        for item in items:
            if "host" in item.keywords:
                item.add_marker(host)
            if simulated and "many_launches" in item.keywords:
                item.add_marker(many)


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    """Small products are slower on many threads, and CI machines have few cores."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


@pytest.fixture(scope="module", autouse=True)
def what_is_loaded_stays():
    """Keep what was imported and collected out of the walks of the garbage collector, which would take minutes."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def fake_cuda(monkeypatch):
    """Let a stand-in serve device "cuda", and return it: NumPy in disguise, which counts how often it is looked at."""
    fake = FakeDevice()
    for name in ("cuda", "cuda:0"):
        monkeypatch.setitem(backends._loaded, name, fake)
    return fake
