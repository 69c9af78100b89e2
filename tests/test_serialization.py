"""Files appear whole or not at all, hold what was saved, and say clearly what is wrong with them."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
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
    with pytest.raises(InputError, match=r"'x' is of dtype F16, .*astype"):
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


@pytest.mark.parametrize("name", ["a\0b", "", "é☃", "a/b\\c", "x" * 10_000, "\n", '"', "1", "__metadata"])
def test_odd_names_come_back(tmp_path: Path, name: str) -> None:
    save(tmp_path / "x.safetensors", {name: np.ones(1), "other": np.zeros(1)}, {name: name})
    assert load(tmp_path / "x.safetensors")[name].tolist() == [1.0]
    assert load_metadata(tmp_path / "x.safetensors") == {name: name}


@pytest.mark.parametrize(
    ("state", "metadata", "text"),
    [
        ({"a": np.ones(1), "\ud800": np.ones(1)}, None, "cannot be the name of a tensor.*surrogates"),
        ({"a": np.ones(1), None: np.ones(1)}, None, "cannot be the name"),
        ({"a": np.ones(1), b"b": np.ones(1)}, None, "cannot be the name"),
        ({"a": np.ones(1)}, {"k": "\udcff"}, "'k' holds characters"),
        ({"a": np.ones(1)}, {"\udcff": "v"}, "holds characters"),
        ({"a": np.ones(1)}, {1: "v"}, "metadata must be texts"),
        ({"a": np.ones(1)}, [("k", "v")], "metadata must be a dict"),
        ([("a", np.ones(1))], None, "must be a dict of tensors"),
        ({"a": np.ones(1), "b": None}, None, "'b' is NoneType"),
        ({"a": np.ones(1), "b": "text"}, None, "'b' is str"),
        ({"a": np.ones(1), "b": np.array(["text"])}, None, "'b': an array of dtype"),
        ({"a": np.ones(1), "b": np.array([None])}, None, "'b': an array of dtype"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_the_old_file_stays(tmp_path: Path, state, metadata, text: str) -> None:
    path = tmp_path / "x.safetensors"
    save(path, {"old": np.ones(1)})
    with pytest.raises(InputError, match=text):
        save(path, state, metadata)
    assert list(load(path)) == ["old"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


def test_names_too_long_for_any_reader_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, "LARGEST_HEADER", 1000)
    save(tmp_path / "x.safetensors", {"x" * 500: np.ones(1)})
    with pytest.raises(InputError, match="no reader of safetensors takes more than 1,000"):
        save(tmp_path / "x.safetensors", {"x" * 1000: np.ones(1)})
    assert list(load(tmp_path / "x.safetensors")) == ["x" * 500]


@pytest.mark.parametrize("path", [None, 3, "a\0b", "\ud800", ["x"], tg.ones(1)])
def test_what_cannot_be_the_name_of_a_file_is_said_so(path) -> None:
    for use in (load, load_metadata, lambda path: save(path, {}), lambda path: serialization.write_whole(path, b"")):
        with pytest.raises(InputError, match="cannot be the name of a file"):
            use(path)


@pytest.mark.skipif(os.name == "nt", reason="names are UTF-16 there")
def test_files_may_have_names_that_are_long_or_not_utf_8(tmp_path: Path) -> None:
    for name in (os.fsdecode(b"caf\xe9.safetensors"), "x" * 255, os.fsencode(tmp_path / "bytes")):
        path = name if isinstance(name, bytes) else tmp_path / name
        save(path, {"x": np.ones(1)}, {"k": "v"})
        assert load(path)["x"].tolist() == [1.0]
        assert load_metadata(path) == {"k": "v"}
    with pytest.raises(InputError, match=r"cannot read .*caf�.*No such file") as caught:
        load(tmp_path / os.fsdecode(b"caf\xe9"))
    str(caught.value).encode()
    with pytest.raises(InputError, match=r"cannot write .*name too long"):
        save(tmp_path / ("x" * 256), {"x": np.ones(1)})


@pytest.mark.skipif(os.name == "nt", reason="no links, no pipes")
def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/file")
    for value in (1.0, 2.0):
        save(tmp_path / "link", {"x": np.array([value])})
        assert (tmp_path / "link").is_symlink()
        assert load(tmp_path / "folder" / "file")["x"].tolist() == [value]
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no regular file"):
        save(tmp_path / "pipe", {"x": np.ones(1)})
    assert (tmp_path / "pipe").is_fifo()


def file_of(header: object, data: bytes = b"", size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(shape: list, start: int, stop: int, dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


DAMAGED = {
    "a header as long as the number says": file_of(b"{}", size=2**63),
    "a header longer than any": file_of(b"{}", size=100_000_001),
    "a header longer than the file": file_of(b"{}", size=1000),
    "tensors that overlap": file_of({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)),
    "a hole": file_of({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
    "more data than tensors": file_of({"a": entry([1], 0, 4)}, bytes(8)),
    "more tensors than data": file_of({"a": entry([2**40], 0, 2**42)}, bytes(8)),
    "a shape of other size": file_of({"a": entry([3], 0, 8)}, bytes(8)),
    "a shape beyond all numbers": file_of({"a": entry([2**40, 2**40], 0, 8)}, bytes(8)),
    "a negative size": file_of({"a": entry([-2], 0, 8)}, bytes(8)),
    "offsets in reverse": file_of({"a": entry([2], 8, 0)}, bytes(8)),
    "an unknown dtype": file_of({"a": entry([2], 0, 8, "F128")}, bytes(8)),
    "no JSON": file_of(b"{'a': 1}", bytes(8)),
    "a list": file_of([], b""),
    "not UTF-8": file_of(b'{"\xff": 1}'),
    "an empty size and no room for it": file_of({"a": entry([2**62, 2**62, 0], 0, 0)}),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_said_so_before_anything_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(DAMAGED[name])
    tracemalloc.start()
    with pytest.raises(InputError, match="is not a safetensors file"):
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_large_file_that_is_none_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with open(path, "wb") as file:
        file.truncate(50_000_000)
    for read in (load, load_metadata):
        tracemalloc.start()
        with pytest.raises(InputError, match="is not a safetensors file"):
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000


def test_dtypes_are_checked_before_any_tensor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    header = {"a": entry([2_000_000], 0, 8_000_000), "z": entry([1], 8_000_000, 8_000_002, "BF16")}
    path.write_bytes(file_of(header, bytes(8_000_002)))
    tracemalloc.start()
    with pytest.raises(InputError, match="'z' is of dtype BF16"):
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.host
def test_a_file_does_not_know_on_which_device_its_tensors_were(tmp_path: Path, fake_cuda) -> None:
    there = tg.randn(3, 2, device="cuda")
    save(tmp_path / "x.safetensors", {"x": there, "view": there.T})
    loaded = load(tmp_path / "x.safetensors")
    assert {x.device for x in loaded.values()} == {"cpu"}
    np.testing.assert_array_equal(loaded["x"].numpy(), there.numpy())
    np.testing.assert_array_equal(loaded["view"].numpy(), there.numpy().T)
