"""Files appear whole or not at all, hold what was saved, and say clearly what is wrong with them."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, serialization
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.serialization import load, load_metadata, save


def test_tensors_and_arrays_of_every_dtype_and_shape_come_back(tmp_path: Path) -> None:
    state = {
        "float32": tg.randn(2, 3),
        "float64": tg.randn(4, dtype="float64"),
        "int64": tg.tensor([[1, -2]]),
        "bool": tg.tensor([True, False]),
        "zero_d": tg.tensor(3.5),
        "empty": tg.zeros(0, 2),
        "parameter": nn.Parameter([1.0]),
        "array": np.arange(3.0),
        "int32": np.arange(3, dtype=np.int32),
    }
    save(tmp_path / "x.safetensors", state)
    loaded = load(str(tmp_path / "x.safetensors"))
    assert loaded.keys() == state.keys()
    for name, value in state.items():
        expected = value.numpy() if isinstance(value, tg.Tensor) else value
        np.testing.assert_array_equal(loaded[name].numpy(), expected)
        assert loaded[name].shape == expected.shape
        assert type(loaded[name]) is tg.Tensor
        assert not loaded[name].requires_grad
    assert loaded["int32"].dtype == "int64"


def test_views_with_strides_are_saved_by_value(tmp_path: Path) -> None:
    x = tg.tensor(np.arange(12.0).reshape(3, 4))
    views = {"transposed": x.T, "reversed": x[::-1], "column": x[:, 1], "repeated": x[0].broadcast_to(2, 4)}
    save(tmp_path / "x.safetensors", views)
    for name, value in load(tmp_path / "x.safetensors").items():
        np.testing.assert_array_equal(value.numpy(), views[name].numpy())


def test_metadata_comes_back(tmp_path: Path) -> None:
    save(tmp_path / "with.safetensors", {"x": tg.zeros(1)}, {"cell": "lstm", "note": "é"})
    save(tmp_path / "without.safetensors", {"x": tg.zeros(1)})
    assert load_metadata(tmp_path / "with.safetensors") == {"cell": "lstm", "note": "é"}
    assert load_metadata(tmp_path / "without.safetensors") == {}


def test_other_readers_of_safetensors_understand_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, {"x": tg.tensor([1.0, 2.0])})
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    assert header["x"]["dtype"] == "F32"
    start, stop = header["x"]["data_offsets"]
    assert np.frombuffer(content[8 + size :][start:stop], np.float32).tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(safetensors.numpy.load_file(path)["x"], [1.0, 2.0])


def test_model_and_optimizer_resume_from_one_file(tmp_path: Path) -> None:
    def build() -> tuple[nn.Module, optim.Adam]:
        model = nn.GRU(2, 3)
        return model, optim.Adam(model.parameters(), lr=0.1)

    def step(model: nn.Module, adam: optim.Adam) -> None:
        model.zero_grad()
        model(tg.ones(3, 1, 2))[0].sum().backward()
        adam.step()

    model, adam = build()
    step(model, adam)
    path = tmp_path / "checkpoint.safetensors"
    save(path, model.state_dict() | {f"optimizer.{name}": value for name, value in adam.state_dict().items()})
    other, other_adam = build()
    state = load(path)
    other.load_state_dict({name: value for name, value in state.items() if not name.startswith("optimizer.")})
    other_adam.load_state_dict(
        {name.removeprefix("optimizer."): value for name, value in state.items() if name.startswith("optimizer.")}
    )
    for each in ((model, adam), (other, other_adam)):
        step(*each)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_saving_replaces_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, {"x": tg.zeros(1)})
    save(path, {"x": tg.ones(1)})
    assert load(path)["x"].item() == 1.0
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failure_while_writing_keeps_the_old_file_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "x.safetensors"
    save(path, {"x": tg.zeros(1)})

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(serialization.os, broken, full)
    with pytest.raises(InputError, match="No space left"):
        save(path, {"x": tg.ones(1)})
    monkeypatch.undo()
    assert load(path)["x"].item() == 0.0
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


def test_an_interruption_while_writing_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    save(path, {"x": tg.zeros(1)})

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serialization.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(path, {"x": tg.ones(1)})
    assert load(path)["x"].item() == 0.0
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    save(tmp_path / "x.safetensors", {"x": tg.zeros(1)})
    assert (tmp_path / "x.safetensors").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_missing_folders_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*nowhere.*No such file"):
        save(tmp_path / "nowhere" / "x.safetensors", {"x": tg.zeros(1)})
    for read in (load, load_metadata):
        with pytest.raises(InputError, match=r"cannot read .*missing.*No such file"):
            read(tmp_path / "missing.safetensors")
        with pytest.raises(InputError, match=f"cannot read {tmp_path}"):
            read(tmp_path)
    with pytest.raises(InputError, match=f"cannot write {tmp_path}"):
        save(tmp_path, {"x": tg.zeros(1)})
    assert list(tmp_path.parent.glob(".*.tmp")) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_must_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        save(tmp_path / "x.safetensors", {"x": tg.zeros(1)})


@pytest.mark.parametrize(
    "content", [b"", b"hello, this is text", b"\x80\x04K\x01.", b"\xff" * 100, b"\x02" + b"\0" * 7 + b"{}x"]
)
def test_what_is_not_a_safetensors_file_is_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    for read in (load, load_metadata):
        with pytest.raises(InputError, match="is not a safetensors file"):
            read(path)


def test_a_truncated_file_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, {"x": tg.zeros(100)})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="is not a safetensors file"):
        load(path)


def test_dtypes_this_library_does_not_have_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.numpy.save_file({"x": np.zeros(2, np.float16)}, path)
    with pytest.raises(InputError, match="float16"):
        load(path)
    with pytest.raises(InputError, match=r"'x'.*complex128"):
        save(path, {"x": np.zeros(2, complex)})


@pytest.mark.parametrize(
    ("state", "metadata", "text"),
    [
        ({"x": [1.0]}, None, "'x' is list"),
        ({1: np.zeros(1)}, None, "cannot be the name"),
        ({"__metadata__": np.zeros(1)}, None, "cannot be the name"),
        ({"x": np.zeros(1)}, {"steps": 3}, "'steps' is int"),
    ],
)
def test_what_cannot_be_saved_is_named(tmp_path: Path, state: dict, metadata: dict | None, text: str) -> None:
    with pytest.raises(InputError, match=text):
        save(tmp_path / "x.safetensors", state, metadata)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.host
def test_a_file_does_not_know_on_which_device_its_tensors_were(tmp_path: Path, fake_cuda) -> None:
    there = tg.randn(3, 2, device="cuda")
    save(tmp_path / "x.safetensors", {"x": there, "view": there.T})
    loaded = load(tmp_path / "x.safetensors")
    assert {x.device for x in loaded.values()} == {"cpu"}
    np.testing.assert_array_equal(loaded["x"].numpy(), there.numpy())
    np.testing.assert_array_equal(loaded["view"].numpy(), there.numpy().T)
