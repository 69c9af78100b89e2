"""The folder of a run."""

import json
import os
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.serialization import sweep, write_whole
from tinygrad_rnn.tasks import AddingTask
from tinygrad_rnn.train import (
    FileKeeper,
    History,
    Run,
    RunKeeper,
    SequenceModel,
    Trainer,
    load_checkpoint,
    newest_run,
    runs_in,
)
from tinygrad_rnn.train.checkpoint import checkpoints
from tinygrad_rnn.train.metrics import Lines, read_lines


def fresh(updates=6, **options):
    tg.manual_seed(1)
    model = SequenceModel("rnn", 2, 4, 1)
    adam = optim.Adam(model.parameters(), lr=0.02)
    return Trainer(model, AddingTask(4), adam, updates, **{"batch": 2, "validate_every": 4, **options})


def made(folder, name="a", every=2, **options):
    trainer = fresh()
    with RunKeeper.create(folder, name, trainer, **options) as keeper:
        trainer.train(keeper, every)
    return Run(folder / name)


def test_a_run_holds_settings_metrics_and_its_last_checkpoints(tmp_path):
    run = made(tmp_path, keep=2)
    assert [path.name for path in checkpoints(run.path)] == ["00000004.safetensors", "00000006.safetensors"]
    assert load_checkpoint(run.path).settings["updates"] == 6
    assert run.settings["model"]["hidden_size"] == 4
    assert run.settings["optimizer"]["lr"] == 0.02
    assert (run.settings["target"], str(run.criterion)) == (6, "wrong at most 0.01")
    history = run.history()
    assert history.updates.tolist() == [1, 2, 3, 4, 5, 6]
    assert history.validated.tolist() == [0, 4, 6]
    assert history.last() == fresh_scores(run)
    assert run.seconds() > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def fresh_scores(run):
    return Trainer.resumed(load_checkpoint(run.path), AddingTask(4)).scores()


def test_a_run_begins_with_a_checkpoint(tmp_path):
    trainer = fresh()
    with RunKeeper.create(tmp_path, "a", trainer) as keeper:
        assert load_checkpoint(keeper.run.path).settings["updates"] == 0


def test_no_run_is_ever_overwritten(tmp_path):
    before = {path: path.read_bytes() for path in made(tmp_path).path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="a is there already; choose another name"):
        made(tmp_path)
    assert made_names(tmp_path, 2) == ["a-2", "a-3"]
    assert {path: path.read_bytes() for path in before} == before
    (tmp_path / "b").write_text("a file")
    with pytest.raises(InputError, match="b is there already"):
        made(tmp_path, "b")
    assert not list(tmp_path.glob(".*"))


def made_names(folder, times):
    names = []
    for _ in range(times):
        with RunKeeper.create(folder, "a", fresh(), numbered=True) as keeper:
            names.append(keeper.run.name)
    return names


def test_runs_that_begin_at_once_never_share_a_folder(tmp_path):
    trainers = [fresh() for _ in range(12)]

    def begin(trainer):
        with RunKeeper.create(tmp_path, "a", trainer, numbered=True) as keeper:
            return keeper.run.name

    with ThreadPoolExecutor(12) as pool:
        names = list(pool.map(begin, trainers))
    assert len(set(names)) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_two_processes_cannot_be_at_work_on_one_run(tmp_path):
    run = made(tmp_path)
    trainer = fresh(9, made=6)
    with RunKeeper.resume(run, trainer):
        metrics = (run.path / "metrics.jsonl").read_bytes()
        with pytest.raises(InputError, match="another process is at work"), RunKeeper.resume(run, fresh(9, made=2)):
            pass
        assert (run.path / "metrics.jsonl").read_bytes() == metrics
    with RunKeeper.resume(run, trainer):
        pass


def test_two_processes_cannot_keep_a_training_in_one_file(tmp_path):
    with FileKeeper(tmp_path / "m") as keeper:
        keeper.save(fresh())
        with pytest.raises(InputError, match=r"another process is at work on .*m; wait"), FileKeeper(tmp_path / "m"):
            pass
        with FileKeeper(tmp_path / "other"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    with FileKeeper(tmp_path / "m"):
        pass


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "/a", "a\0", "a\\b"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="cannot be the name of a run"):
        made(tmp_path, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stop", [0, 2, 4])
def test_what_was_written_after_the_checkpoint_is_forgotten_and_written_again(tmp_path, stop):
    run = made(tmp_path, keep=9)
    whole = (run.path / "metrics.jsonl").read_bytes()
    for later in checkpoints(run.path)[1 + stop // 2 :]:
        later.unlink()
    with open(run.path / "metrics.jsonl", "ab") as file:
        file.write(b'{"update": 7, "lo')  # what a kill leaves
    trainer = Trainer.resumed(load_checkpoint(run.path), AddingTask(4))
    with RunKeeper.resume(run, trainer) as keeper:
        assert all(line["update"] <= stop for line in read_lines(run.path / "metrics.jsonl"))
        trainer.train(keeper, every=2)
    assert (run.path / "metrics.jsonl").read_bytes() == whole
    assert [line["update"] for line in read_lines(run.path / "times.jsonl")] == [2, 4, 6]


def test_the_validation_at_an_end_that_is_none_any_more_is_forgotten(tmp_path):
    run = made(tmp_path)
    trainer = Trainer.resumed(load_checkpoint(run.path), AddingTask(4))
    trainer.updates = 9
    with RunKeeper.resume(run, trainer) as keeper:
        trainer.train(keeper)
    assert run.history().validated.tolist() == [0, 4, 8, 9]
    assert Run(run.path).settings["target"] == 9


def test_a_last_line_without_an_end_does_not_count_and_another_damaged_one_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"update": 1}\n{"update": 2, "l')
    assert read_lines(path) == [{"update": 1}]
    path.write_text('{"update": 1}\n{"upd\n{"update": 2}\n')
    with pytest.raises(InputError, match="is damaged: line 2 is no JSON object"):
        read_lines(path)
    with pytest.raises(InputError, match="no line of the metrics"):
        History.of([{"update": 3, "loss": "much"}])


def test_numbers_that_are_not_finite_are_null_and_come_back_as_nan(tmp_path):
    lines = Lines(tmp_path / "metrics.jsonl")
    lines.add({"update": 0, "validation": {"loss": float("inf"), "wrong": float("nan")}, "solved": False})
    lines.close()
    assert "null" in (tmp_path / "metrics.jsonl").read_text()
    found = History.of(read_lines(tmp_path / "metrics.jsonl"))
    assert np.isnan(found.scores["loss"]).all()
    assert np.isnan(found.scores["wrong"]).all()


def test_runs_are_found_and_what_is_none_is_left_out(tmp_path):
    assert (runs_in(tmp_path / "nowhere"), newest_run(tmp_path)) == ([], None)
    made(tmp_path, "b")
    made(tmp_path, "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "settings.json").write_text("{")
    os.utime(checkpoints(tmp_path / "a")[-1], (1, 1))
    for path in checkpoints(tmp_path / "a"):
        os.utime(path, (1, 1))
    assert [run.name for run in runs_in(tmp_path)] == ["a", "b"]
    assert newest_run(tmp_path).name == "b"
    with pytest.raises(InputError, match="damaged"):
        Run(tmp_path / "c")
    with pytest.raises(InputError, match="no folder of a run"):
        Run(tmp_path / "nowhere")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that begins where this one is")
def test_what_a_killed_process_left_beside_a_file_is_swept_away_and_nothing_else(tmp_path, monkeypatch):
    for name in ("model", "other"):
        if not (child := os.fork()):
            monkeypatch.setattr(os, "replace", lambda *_: os._exit(0))  # killed just before the file is in its place
            write_whole(tmp_path / name, b"half")
        os.waitpid(child, 0)
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 2
    sweep(tmp_path / "model")
    (other,) = tmp_path.iterdir()
    assert other.name in left
    sweep(tmp_path / "other")
    assert not list(tmp_path.iterdir())


# ---- event files ---------------------------------------------------------------------------------------------------


def scalars(folder: Path):
    """Return (tag, step, value) of all event files of a folder, and the steps from which some are to be forgotten."""
    from tensorboardX.proto.event_pb2 import Event

    found, restarts = [], []
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime_ns):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += 12 + length + 4
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            restarts += [event.step] if event.HasField("session_log") else []
    return found, restarts


def expected(run):
    lines = read_lines(run.path / "metrics.jsonl")
    tags = {"loss": "training/loss", "norm": "gradient/norm", "clipped": "gradient/clipped"}
    named = [(tags[name], line["update"], line[name]) for line in lines for name in tags if name in line]
    return named + [
        (f"validation/{name}", line["update"], value)
        for line in lines
        for name, value in line.get("validation", {}).items()
    ]


def close(found, wanted):
    assert sorted(each[:2] for each in found) == sorted(each[:2] for each in wanted)
    np.testing.assert_allclose([each[2] for each in sorted(found)], [each[2] for each in sorted(wanted)], rtol=1e-6)


def test_event_files_have_the_numbers_of_the_metrics(tmp_path):
    pytest.importorskip("tensorboardX")
    run = made(tmp_path, event_file=True)
    found, restarts = scalars(run.path)
    assert not restarts
    close(found, expected(run))


def test_event_files_are_begun_late_with_all_and_go_on_where_the_checkpoint_is(tmp_path):
    pytest.importorskip("tensorboardX")
    run = made(tmp_path)
    checkpoints(run.path)[-1].unlink()
    trainer = Trainer.resumed(load_checkpoint(run.path), AddingTask(4))
    with RunKeeper.resume(run, trainer, event_file=True) as keeper:
        trainer.train(keeper)
    close(scalars(run.path)[0], expected(run))
    checkpoints(run.path)[-1].unlink()
    run = Run(run.path)
    trainer = Trainer.resumed(load_checkpoint(run.path), AddingTask(4))
    with RunKeeper.resume(run, trainer):  # it goes on writing them, as it was asked to once
        pass
    assert scalars(run.path)[1] == [5]


def test_without_the_package_that_writes_event_files_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingToolError, match=r"pip install 'tinygrad-rnn\[tensorboard\]'"):
        made(tmp_path, event_file=True)
    assert not list(tmp_path.iterdir())


def test_the_metrics_are_lines_of_json_as_said(tmp_path):
    run = made(tmp_path)
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    kinds = {tuple(line) for line in lines}
    assert kinds == {("update", "loss", "norm", "clipped"), ("update", "validation", "solved")}
