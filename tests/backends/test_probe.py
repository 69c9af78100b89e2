"""Looking for a GPU: nothing is imported that is not there, and whatever goes wrong becomes a sentence."""

import importlib.metadata
import importlib.util
import sys

import pytest

from tinygrad_rnn import backends
from tinygrad_rnn.backends import probe
from tinygrad_rnn.errors import DeviceError

pytestmark = pytest.mark.host


@pytest.fixture
def asked(monkeypatch):
    """Note whether the CUDA backend is asked for; calls the function given instead."""
    calls = []

    def answer_with(function):
        def get(device):
            calls.append(device)
            return function()

        monkeypatch.setattr(backends, "get", get)
        return calls

    return answer_with


def installed(monkeypatch, *, numba=True, numba_cuda=None, simulator=None):
    find, version = importlib.util.find_spec, importlib.metadata.version
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: (numba or None) if name == "numba" else find(name))

    def version_of(name):
        if name != "numba-cuda":
            return version(name)
        if numba_cuda is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return numba_cuda

    monkeypatch.setattr(importlib.metadata, "version", version_of)
    monkeypatch.delenv(probe.SIMULATOR_VARIABLE, raising=False)
    if simulator is not None:
        monkeypatch.setenv(probe.SIMULATOR_VARIABLE, simulator)


@pytest.mark.parametrize(
    ("packages", "problem"),
    [
        ({"numba": False}, "Numba is not installed"),
        ({"numba": False, "numba_cuda": "0.30.4", "simulator": "1"}, "Numba is not installed"),
        ({}, "numba-cuda is not installed"),
        ({"simulator": "0"}, "numba-cuda is not installed"),
    ],
)
def test_without_the_packages_nothing_is_imported(monkeypatch, asked, packages, problem):
    installed(monkeypatch, **packages)
    calls = asked(lambda: pytest.fail("the backend was asked for"))
    assert probe.look_for_cuda().problem == problem
    assert not calls


@pytest.mark.parametrize("packages", [{"numba_cuda": "0.30.4"}, {"simulator": "1"}])
def test_with_the_packages_the_backend_itself_is_asked(monkeypatch, asked, packages):
    installed(monkeypatch, **packages)
    calls = asked(lambda: None)
    report = probe.look_for_cuda()
    assert report.problem is None
    assert (report.package, report.simulated) == (packages.get("numba_cuda"), "simulator" in packages)
    assert calls == ["cuda"]


@pytest.mark.parametrize(
    ("error", "problem"),
    [(DeviceError("no GPU"), "no GPU"), (OSError("libnvvm.so: not found"), "OSError: libnvvm.so: not found")],
)
def test_whatever_goes_wrong_is_said(monkeypatch, asked, error, problem):
    def fail():
        raise error

    installed(monkeypatch, numba_cuda="0.30.4")
    asked(fail)
    assert probe.look_for_cuda().problem == problem


class Driver:
    """Stands for the driver's library."""

    def __init__(self, works=True):
        self.works = works

    def cuInit(self, flags):
        return 0 if self.works else 100

    def cuDriverGetVersion(self, version):
        version._obj.value = 12040

    def cuDeviceGetCount(self, count):
        count._obj.value = 2

    def cuDeviceGet(self, device, index):
        device._obj.value = index

    def cuDeviceGetName(self, name, size, device):
        name.value = f"GPU {device.value}".encode()


def test_the_driver_tells_its_version_and_gpus(monkeypatch):
    monkeypatch.setattr(probe.ctypes, "CDLL", lambda library: Driver())
    assert probe._driver("libcuda.so.1") == ("12.4", ("GPU 0", "GPU 1"))
    monkeypatch.setattr(probe.ctypes, "CDLL", lambda library: Driver(works=False))
    assert probe._driver("libcuda.so.1") == ("12.4", ())


def test_without_a_driver_there_is_none(monkeypatch):
    assert probe._driver("libnothing-of-the-kind.so") == (None, ())
    monkeypatch.setattr(probe.ctypes, "CDLL", lambda library: object())
    assert probe._driver("a library of another kind") == (None, ())


@pytest.mark.parametrize(("platform", "library"), [("win32", "nvcuda.dll"), ("linux", "libcuda.so.1")])
def test_the_library_is_looked_for_by_the_name_it_has_there(monkeypatch, asked, platform, library):
    installed(monkeypatch)
    asked(lambda: None)
    monkeypatch.setattr(sys, "platform", platform)
    assert probe.look_for_cuda().library == library
