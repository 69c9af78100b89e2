"""`--device` on every command, and what the doctor says about it."""

import json

import numpy as np
import pytest
import safetensors.numpy

from tests.viz.sheet_page import page_of
from tinygrad_rnn import backends
from tinygrad_rnn.backends.probe import CudaReport
from tinygrad_rnn.cli import doctor, main
from tinygrad_rnn.errors import DeviceError
from tinygrad_rnn.train import load_checkpoint

pytestmark = pytest.mark.host

COMMANDS = ("graph", "flow", "train", "sample", "translate m", "caption m", "forecast m")


@pytest.fixture
def no_cuda(monkeypatch):
    def load(device):
        raise DeviceError(f"device {device!r} cannot be used: there is no such thing")

    for name in ("cuda", "cuda:0"):
        monkeypatch.delitem(backends._loaded, name, raising=False)
    monkeypatch.setattr(backends, "_load", load)


@pytest.mark.usefixtures("no_cuda")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_is_missing_is_noticed_before_anything_else(command, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = "error: device 'cuda' cannot be used: there is no such thing"
    assert wanted in refused(*command.split(), "--device", "cuda")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_device_is_refused(command, refused):
    assert "unknown device 'tpu'; use 'cpu' or 'cuda'" in refused(*command.split(), "--device", "tpu")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_devices(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "where to compute: cpu, or cuda for an NVIDIA GPU (default: cpu)" in printed


def test_a_model_trained_there_is_that_trained_here_and_writes_anywhere(fake_cuda, tmp_path, text_file, capsys):
    made = {}
    for device in ("cpu", "cuda"):
        path = tmp_path / f"{device}.safetensors"
        small = ("--steps", "6", "--hidden", "8", "--batch", "4", "--dtype", "float64", "--text", text_file)
        other = "cpu" if device == "cuda" else "cuda:0"
        first = ["train", *small, "--updates", "3", "--device", device, "--out", str(path)]
        rest = ["train", "--resume", "--updates", "6", "--device", other, "--out", str(path)]
        for where, command in ((device, first), (other, rest)):
            fake_cuda.reads = 0
            assert main(command) == 0
            assert (fake_cuda.reads > 0) is (where != "cpu")
        made[device] = load_checkpoint(path)
        assert made[device].settings["updates"] == 6
    for name, value in made["cpu"].model.state_dict().items():
        np.testing.assert_allclose(made["cuda"].model.state_dict()[name].numpy(), value.numpy(), rtol=1e-9, atol=1e-12)
    written = []
    for device in ("cpu", "cuda"):
        capsys.readouterr()
        model = str(tmp_path / "cuda.safetensors")
        assert main(["sample", "--model", model, "--prompt", "to", "--length", "20", "--device", device]) == 0
        written.append(capsys.readouterr().out)
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("command", "task", "options"),
    [
        ("translate", "dates:attention=dot", ("--examples", "2", "--beam", "2")),
        ("caption", "strips:digits=2", ("--examples", "2", "--beam", "2")),
        ("forecast", "series", ("--format", "svg", "--steps", "2")),
        ("sample --evaluate --model", "hello", ()),
    ],
)
def test_what_a_model_writes_there_is_what_it_writes_here(
    fake_cuda, untrained, capsys, tmp_path, monkeypatch, command, task, options
):
    monkeypatch.chdir(tmp_path)
    model, printed = untrained(task, dtype="float64"), []
    for device in ("cpu", "cuda"):
        assert main([*command.split(), model, *options, "--device", device]) == 0
        printed.append(capsys.readouterr().out)
    assert fake_cuda.reads
    assert printed[0] == printed[1]


def test_what_graph_measures_there_is_what_it_measures_here(fake_cuda, graph):
    folders = [graph("--cell", "lstm", "--device", device, out=device, formats="dot") for device in ("cpu", "cuda")]
    assert fake_cuda.reads
    for stem in ("lstm.init", "lstm"):
        here, there = (json.loads((folder / f"{stem}.flow.json").read_text()) for folder in folders)
        assert here.keys() == there.keys()
        np.testing.assert_allclose(there["hidden_grad"], here["hidden_grad"], rtol=1e-4)
        runs = [safetensors.numpy.load_file(folder / f"{stem}.run.safetensors") for folder in folders]
        for name, value in runs[0].items():
            np.testing.assert_allclose(runs[1][name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_flow_works_there_with_cells_and_with_a_model(fake_cuda, tmp_path, text_file):
    small = ("--steps", "6", "--batch", "3", "--text", text_file, "--device", "cuda")
    model = str(tmp_path / "model.safetensors")
    assert main(["train", *small, "--hidden", "4", "--updates", "2", "--out", model]) == 0
    for index, which in enumerate((("--cells", "rnn,gru", "--hidden", "4", "--train", "2"), ("--model", model))):
        out = tmp_path / str(index)
        assert main(["flow", *small, *which, "--out", str(out)]) == 0
        assert "--device cuda" in page_of(out).texts["pre"][0]
    assert fake_cuda.reads


def test_a_gpu_needs_no_room_on_the_host(fake_cuda, tmp_path, monkeypatch):
    monkeypatch.setattr("tinygrad_rnn.cli.problem._memory", lambda: 0.0)
    small = ("--task", "adding", "--steps", "6", "--hidden", "4", "--batch", "2", "--updates", "1")
    assert main(["train", *small, "--device", "cuda", "--out", str(tmp_path / "m.safetensors")]) == 0


# ---- doctor -------------------------------------------------------------------------------------------------------

NOTHING = CudaReport("libcuda.so.1", None, (), None, False, "numba-cuda is not installed")


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (NOTHING, ["NVIDIA driver  not found (libcuda.so.1); needed for --device cuda only",
                   "not installed; needed for --device cuda only: pip install 'tinygrad-rnn[cuda13]'",
                   "does not work: numba-cuda is not installed"]),
        (CudaReport("libcuda.so.1", "12.4", ("NVIDIA T4",), None, False, "numba-cuda is not installed"),
         ["ok      NVIDIA driver  for CUDA 12.4: NVIDIA T4", "pip install 'tinygrad-rnn[cuda12]'"]),
        (CudaReport("libcuda.so.1", "13.0", ("A", "B"), "0.30.4", False, None),
         ["for CUDA 13.0: A, B", "0.30.4: kernels for the GPU", "ok      CUDA           works\n"]),
        (CudaReport("libcuda.so.1", "13.0", (), "0.30.4", False, "no device"),
         ["-       NVIDIA driver  for CUDA 13.0: but it lists no GPU", "does not work: no device"]),
        (CudaReport("nvcuda.dll", None, (), None, True, None), ["works in the simulator, slowly, on the CPU"]),
    ],
)  # fmt: skip
def test_the_doctor_tells_what_a_gpu_lacks(monkeypatch, capsys, report, said):
    monkeypatch.setattr(doctor, "look_for_cuda", lambda: report)
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for text in said:
        assert text in printed
