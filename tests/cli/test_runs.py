"""`tinygrad-rnn train` into runs, `runs`, `tasks`, and what goes on from a run."""

import json
import math
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tinygrad_rnn import optim
from tinygrad_rnn.cli import main
from tinygrad_rnn.cli import runs as runs_command
from tinygrad_rnn.cli import train as train_command
from tinygrad_rnn.tasks import TASKS, AddingTask
from tinygrad_rnn.train import Run, RunKeeper, SequenceModel, Trainer, load_checkpoint, runs_in
from tinygrad_rnn.train.checkpoint import checkpoints

SMALL = ("--steps", "6", "--hidden", "8", "--batch", "4", "--every", "2", "--validate-every", "3")
ADDING = (*SMALL, "--task", "adding")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def without_curves(monkeypatch):
    monkeypatch.setattr(train_command, "_curves", lambda run: [])  # they take the longest


def train(*options):
    assert main(["train", *map(str, options)]) == 0


def names():
    return sorted(path.name for path in Path("runs").iterdir())


def listed(capsys):
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    return {run["name"]: run for run in json.loads(capsys.readouterr().out)["runs"]}


def test_a_run_is_named_by_task_and_cell_and_the_next_one_gets_a_number(without_curves, capsys):
    for cell in ("gru:update_bias=1", "gru:update_bias=1", "rnn"):
        train(*ADDING, "--updates", 2, "--cell", cell)
    assert names() == ["adding-gru-update_bias-1", "adding-gru-update_bias-1-2", "adding-rnn"]
    assert "written: runs/adding-rnn\n" in capsys.readouterr().out


def test_a_chosen_name_that_is_taken_is_refused_and_nothing_changes(without_curves, refused):
    train(*ADDING, "--updates", 2, "--name", "mine")
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    for options in (("--name", "mine"), ("--name", "mine", "--cell", "rnn")):
        complaint = refused("train", *ADDING, "--updates", 3, *options)  # before anything is made
        assert "runs/mine is there already; choose another name, or go on with it by --resume --name mine" in complaint
    assert {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()} == before
    assert "cannot be the name of a run" in refused("train", *ADDING, "--name", "../mine")


def test_without_a_name_the_newest_run_goes_on_and_writes(without_curves, capsys, text_file):
    train(*SMALL, "--text", text_file, "--updates", 2, "--name", "old")
    train(*SMALL, "--text", text_file, "--updates", 2, "--name", "new")
    for path in checkpoints("runs/old"):
        os.utime(path, (1, 1))
    train("--resume", "--updates", 4)
    assert "--resume: goes on with runs/new" in capsys.readouterr().err
    assert [load_checkpoint(f"runs/{name}").settings["updates"] for name in ("old", "new")] == [2, 4]
    for which in ((), ("--model", "runs/new"), ("--model", checkpoints("runs/new")[-1])):
        capsys.readouterr()
        assert main(["sample", "--length", "9", *map(str, which)]) == 0
        assert len(capsys.readouterr().out) == 11


def test_without_runs_a_model_file_stands_in_and_without_both_it_is_said(without_curves, refused, capsys, text_file):
    for command in (("sample",), ("train", "--resume")):
        assert "there is no run in runs, and no model.safetensors" in refused(*command)
    train(*SMALL, "--text", text_file, "--updates", 2, "--out", "model.safetensors")
    train("--resume", "--updates", 3)
    assert load_checkpoint("model.safetensors").settings["updates"] == 3
    assert main(["sample", "--length", "2"]) == 0
    assert not Path("runs").exists()
    assert "there is no run runs/other" in refused("train", "--resume", "--name", "other")


@pytest.mark.parametrize("options", [(), ("--layers", "2", "--dropout", "0.5", "--dtype", "float64", "--seed", "4")])
def test_a_resumed_run_ends_with_the_same_bits(without_curves, text_file, options):
    train(*SMALL, "--text", text_file, "--updates", 7, "--name", "whole", *options)
    train(*SMALL, "--text", text_file, "--updates", 4, "--name", "part", *options)
    train("--resume", "--name", "part", "--updates", 7, "--every", 2)
    for name in ("metrics.jsonl", "settings.json", "checkpoints/00000007.safetensors"):
        assert Path("runs/part", name).read_bytes() == Path("runs/whole", name).read_bytes()


def test_a_run_that_is_complete_gets_its_curves_and_no_further_update(capsys):
    train(*ADDING, "--updates", 2, "--name", "a")
    before = {path: path.read_bytes() for path in Path("runs/a").rglob("*") if path.is_file()}
    os.remove("runs/a/curves.svg")
    train("--resume", "--name", "a")
    assert "all 2 updates have been made; --updates asks for more in all" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "other",
    [
        ("--cell", "gru"), ("--hidden", 9), ("--layers", 2), ("--task", "text"), ("--dtype", "float64"), ("--steps", 7),
        ("--batch", 5), ("--clip", 0.5), ("--seed", 1), ("--validate-every", 4),
    ],
)  # fmt: skip
def test_a_resumed_run_refuses_other_options(without_curves, refused, other):
    train(*ADDING, "--updates", 2, "--name", "a")
    before = Path("runs/a/metrics.jsonl").read_bytes()
    complaint = refused("train", "--resume", "--name", "a", "--updates", 3, *other)
    assert f"runs/a was trained with {other[0]} " in complaint
    assert f"not {other[1]}; leave {other[0]} out" in complaint
    assert Path("runs/a/metrics.jsonl").read_bytes() == before


def test_a_damaged_checkpoint_is_refused_with_its_reason_and_the_one_before_is_offered(without_curves, refused):
    train(*ADDING, "--updates", 6, "--name", "whole")
    shutil.copytree("runs/whole", "runs/a")
    *_, before, last = checkpoints("runs/a")
    content = last.read_bytes()
    for damaged, reason in (
        (content[: len(content) // 2], "is not a safetensors file this library can load"),
        (content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], "its numbers are not those that were written"),
        (b"", "is not a safetensors file"),
    ):
        last.write_bytes(damaged)
        for command in (("train", "--resume", "--name", "a"), ("sample", "--model", "runs/a")):
            complaint = refused(*command)
            assert f"{last} is" in complaint
            assert reason in complaint
            assert f"{before}, can be used, and was made after 4 updates: move {last} away" in complaint
    last.unlink()
    train("--resume", "--name", "a", "--every", 2)
    assert last.read_bytes() == content
    assert Path("runs/a/metrics.jsonl").read_bytes() == Path("runs/whole/metrics.jsonl").read_bytes()


def test_of_a_damaged_file_the_one_that_was_there_before_is_offered(refused):
    train(*ADDING, "--updates", 2, "--out", "m")
    train(*ADDING, "--updates", 3, "--out", "m")
    Path("m").write_bytes(Path("m").read_bytes()[:-1])
    complaint = refused("train", "--resume", "--out", "m")
    assert complaint.endswith("; m.prev, which was there before it, can be used, and had 2 updates")
    assert sorted(os.listdir()) == ["m", "m.prev"]
    Path("m.prev").write_bytes(b"")
    assert "m.prev" not in refused("train", "--resume", "--out", "m")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_an_interrupted_run_is_saved_and_goes_on(started, without_curves):
    process = started("train", *ADDING[:-6], *ADDING[-4:], "--every", 10**6, "--updates", 10**6)
    for line in process.stderr:
        if "update 1/" in line:
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in error
    said = re.search(r"saved (\S+) after (\d+) updates?; go on with (.*)", error)
    assert load_checkpoint(said[1]).settings["updates"] == int(said[2])
    train(*said[3].split(), "--updates", int(said[2]) + 1)


def test_a_run_that_diverged_says_where_and_keeps_the_checkpoints_before(without_curves, refused, capsys):
    complaint = refused("train", *ADDING, "--lr", "1e38", "--name", "a", "--updates", 50, at_once=False)
    assert re.search(r"at update \d+ after norms of the gradient of .*: training diverged; take .*\(--lr", complaint)
    assert load_checkpoint("runs/a").settings["updates"] == 0
    assert "diverged" in listed(capsys)["a"]["diverged"]
    assert main(["runs"]) == 0
    assert "diverged" in capsys.readouterr().out


def test_progress_tells_loss_norm_and_the_time_left(without_curves, capsys):
    train(*ADDING, "--updates", 30)
    lines = re.findall(r"^lstm: update .*$", capsys.readouterr().err, re.MULTILINE)
    assert len(lines) == 4
    told = r"lstm: update \d+/30, [\d.]+ squared error, gradient norm [\d.]+"
    for line in lines[1:-1]:
        assert re.fullmatch(told + r", \d[\d.]* \w+ left", line)
    assert re.fullmatch(told, lines[0])  # too early to say
    assert lines[-1].startswith("lstm: update 30/30")
    assert "left" not in lines[-1]


def test_epochs_are_the_updates_that_see_as_much_as_the_text_has(without_curves, refused, text_file):
    train(*SMALL, "--text", text_file, "--epochs", 2)
    windows = math.ceil((800 * 0.9 - 1) / 6)
    assert load_checkpoint("runs/text-lstm").settings["target"] == 2 * math.ceil(windows / 4)
    assert "--epochs: the task adding makes new examples for every update" in refused("train", *ADDING, "--epochs", 1)
    assert "not allowed with" in refused("train", *ADDING, "--epochs", 1, "--updates", 3)


def test_training_ends_when_the_task_is_solved(without_curves, refused, capsys, text_file):
    options = ("--task", "adding", "--steps", 2, "--hidden", 16, "--cell", "gru", "--lr", 0.02, "--until-solved")
    train(*options, "--updates", 5000, "--validate-every", 50, "--name", "a")
    made = int(re.search(r"solved after (\d+) updates \(wrong at most 0.01\)", capsys.readouterr().out)[1])
    assert made < 5000
    run = listed(capsys)["a"]
    assert (run["solved"], run["updates"], run["target"]) == (made, made, 5000)
    train("--resume", "--name", "a")
    assert load_checkpoint("runs/a").settings["updates"] == made  # it knows that it was to end there
    complaint = refused("train", *SMALL, "--text", text_file, "--until-solved")
    assert "nobody can say when text is solved; take --updates or --epochs" in complaint


def test_a_text_that_has_changed_is_refused_unless_it_is_named(without_curves, refused, text_file, capsys):
    train(*SMALL, "--text", text_file, "--updates", 2)
    Path(text_file).write_text("to be or not to be that is no question " * 20)
    assert "has changed since the training began" in refused("train", "--resume", "--updates", 3, at_once=False)
    train("--resume", "--updates", 3, "--text", text_file)
    assert f"goes on with {text_file} instead of {text_file}" in capsys.readouterr().err
    train("--resume", "--updates", 4)


# ---- what a resumed training has again, and what it is asked anew --------------------------------------------------


def kept():
    return [int(path.stem) for path in checkpoints("runs/a")]


def test_a_resumed_run_makes_and_keeps_checkpoints_as_before_unless_it_is_told(without_curves):
    train(*ADDING, "--every", 1, "--keep", 5, "--updates", 6, "--name", "a")
    train("--resume", "--name", "a", "--updates", 8)
    assert kept() == [4, 5, 6, 7, 8]
    train("--resume", "--name", "a", "--updates", 12, "--every", 3)
    assert kept() == [6, 7, 8, 9, 12]
    train("--resume", "--name", "a", "--updates", 18, "--keep", 2)
    assert kept() == [15, 18]


@pytest.mark.parametrize("place", [("--name", "a"), ("--out", "a")])
def test_what_a_resumed_training_was_asked_for_holds_though_it_is_killed_at_once(
    without_curves, monkeypatch, capsys, place
):
    train(*ADDING, "--updates", 3, *place)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_command.Trainer, "train", killed)
        assert main(["train", "--resume", *place, "--updates", "5", "--lr", "0.05", "--every", "7"]) == 130
    train("--resume", *place)
    found = load_checkpoint("runs/a" if place[0] == "--name" else "a")
    assert (found.settings["updates"], found.settings["every"]) == (5, 7)
    assert found.optimizer_state["lr"].item() == 0.05


@pytest.mark.parametrize(
    ("schedule", "before", "after"),
    [
        ("step:every=2:by=0.1", 0.02 * 0.1, 0.04 * 0.1**2),
        ("warmup:updates=6:start=0", 0.01, 0.04 * 4 / 6),
        ("monitor:band=1000000:patience=50", 0.02, 0.04),
    ],
)
def test_a_new_learning_rate_is_the_one_that_the_schedule_changes_from(without_curves, capsys, schedule, before, after):
    def rate():
        return load_checkpoint("runs/a").optimizer_state["lr"].item()

    train(*ADDING, "--updates", 3, "--lr", 0.02, "--schedule", schedule, "--name", "a", "--every", 1)
    assert rate() == pytest.approx(before)
    train("--resume", "--name", "a", "--lr", 0.02)
    assert rate() == pytest.approx(before)
    assert "learning rate" not in capsys.readouterr().err
    train("--resume", "--name", "a", "--lr", 0.04, "--updates", 4)
    assert "the learning rate 0.04 instead of 0.02" in capsys.readouterr().err
    assert rate() == pytest.approx(after)


def test_options_that_exclude_each_other_are_refused(refused):
    assert "end above 2**63 - 1" in refused("train", *ADDING, "--seeds", 2, "--seed", 2**63 - 1)
    assert "--out is one file" in refused("train", *ADDING, "--seeds", 2, "--out", "m")
    assert "--resume goes on with one of them" in refused("train", "--seeds", 2, "--resume")
    assert "--tensorboard writes into the folder of a run" in refused("train", *ADDING, "--tensorboard", "--out", "m")
    assert not os.listdir()


@pytest.mark.parametrize(
    "command",
    [
        ("flow", "--task", "adding", "--cell", "rnn", "--train", 0), ("conflict", "--cell", "rnn", "--train", 1),
        ("reproduce", "pascanu", "--updates", 1), ("reproduce", "hochreiter", "--only", "6a", "--updates", 1),
    ],
)  # fmt: skip
def test_seeds_do_not_begin_again_at_the_end(refused, command):
    assert "end above 2**63 - 1; take a smaller --seed" in refused(*command, "--seeds", 2, "--seed", 2**63 - 1)
    assert not os.listdir()


def test_event_files_need_their_package(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    complaint = refused("train", *ADDING, "--updates", 1, "--tensorboard", code=3)
    assert "pip install 'tinygrad-rnn[tensorboard]'" in complaint


# ---- several runs --------------------------------------------------------------------------------------------------


def test_several_seeds_are_runs_of_their_own_and_compared_as_one(without_curves, refused, capsys):
    train(*ADDING, "--updates", 3, "--seeds", 3, "--seed", 5)
    assert names() == ["adding-lstm.seed-5", "adding-lstm.seed-6", "adding-lstm.seed-7"]
    train(*ADDING, "--updates", 3, "--seed", 6, "--name", "alone")
    five, six, seven, alone = (
        checkpoints(f"runs/{name}")[-1].read_bytes()
        for name in ("adding-lstm.seed-5", "adding-lstm.seed-6", "adding-lstm.seed-7", "alone")
    )
    assert six == alone
    assert len({five, six, seven}) == 3
    shutil.rmtree("runs/alone")
    train(*ADDING, "--updates", 4, "--cell", "rnn")
    capsys.readouterr()
    assert main(["runs", "--plot"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^lstm: the loss of validations .* in 3 updates, the median of 3 runs\.$", said, re.MULTILINE)
    assert re.search(r"^rnn: the loss of validations went from .* in 4 updates\.$", said, re.MULTILINE)
    assert "written: runs/adding.svg" in said
    picture = Path("runs/adding.svg").read_text()
    assert Path("runs/adding.png").stat().st_size > 10_000
    assert "median of 3 runs" in re.sub(r"<!--|-->", "", picture)
    taken = ("--seeds", 2, "--seed", 7, "--name", "adding-lstm")
    assert "runs/adding-lstm.seed-7 is there already" in refused("train", *ADDING, *taken)
    train(*ADDING, "--updates", 3, "--seeds", 2, "--seed", 7)
    assert {"adding-lstm.seed-7-2", "adding-lstm.seed-8"} <= set(names())


def test_a_run_that_was_resumed_is_compared_with_one_that_was_not(without_curves, capsys):
    options = (*ADDING, "--schedule", "cosine:updates=4")
    train(*options, "--updates", 4, "--name", "a.seed-0")
    train(*options, "--updates", 2, "--name", "a.seed-1", "--seed", 1)
    train("--resume", "--name", "a.seed-1", "--updates", 4, "--every", 9)
    assert list(curves()) == ["a"]
    settings = Run("runs/a.seed-1").settings
    assert settings["optimizer"]["lr"] == 0.01
    assert "schedule_state" not in settings


def curves():
    return runs_command.by_seed([(run, run.history()) for run in runs_in("runs")])


def test_runs_with_names_that_are_alike_all_have_their_line(without_curves):
    train(*ADDING, "--updates", 1, "--cell", "gru")
    train(*ADDING, "--updates", 1, "--name", "gru")
    train(*ADDING, "--updates", 1, "--cell", "rnn")
    assert sorted(curves()) == ["adding-gru", "gru", "rnn"]


def test_a_run_made_in_python_is_listed_and_drawn(capsys):
    model = SequenceModel("gru", 2, 3, 1)
    for name, task in (("mine", AddingTask(4)), ("other", AddingTask(4))):
        task.chosen = None if name == "mine" else "my own / task"
        trainer = Trainer(model, task, optim.SGD(model.parameters(), lr=0.1), updates=2, batch=2)
        with RunKeeper.create("runs", name, trainer) as keeper:
            trainer.train(keeper)
    assert main(["runs", "--plot"]) == 0
    assert {path.name for path in Path("runs").glob("*.png")} == {"adding.png", "my-own-task.png"}
    old = Path("runs/mine/settings.json")
    old.write_text(json.dumps({name: value for name, value in json.loads(old.read_text()).items() if name != "task"}))
    assert main(["runs", "--plot"]) == 0
    assert Path("runs/unnamed-task.png").exists()


def test_the_list_has_what_a_run_came_to(without_curves, capsys):
    train(*ADDING, "--updates", 4, "--name", "a", "--cell", "gru")
    run = listed(capsys)["a"]
    assert run["scores"] == Run("runs/a").history().last()
    expected = {"task": "adding", "cell": "gru", "updates": 4, "target": 4, "solved": None, "seed": 0}
    assert {name: run[name] for name in expected} == expected
    assert run["seconds"] > 0
    assert main(["runs"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(" a ") or line.startswith("a "))
    assert row.split()[:4] == ["a", "adding", "gru", "4/4"]


def test_runs_that_cannot_be_read_are_named_and_left_out(without_curves, refused, capsys):
    assert "there are no runs in runs; `tinygrad-rnn train` makes them" in refused("runs")
    train(*ADDING, "--updates", 2, "--name", "a")
    shutil.copytree("runs/a", "runs/b")
    for file, content, reason in (
        ("settings.json", {"criterion": {"x": 1}}, "{'x': 1} is no criterion"),
        ("settings.json", {"model": 3}, "its settings are damaged: model is 3"),
        ("settings.json", {"seed": [1]}, "its settings are damaged: seed is [1]"),
        ("times.jsonl", {"seconds": "y"}, "runs/b/times.jsonl is damaged"),
        ("metrics.jsonl", None, "runs/b is left out: runs/b/metrics.jsonl is damaged: line 1"),
    ):
        place = Path("runs/b", file)
        good = place.read_bytes()
        before = json.loads(good) if file == "settings.json" else {}
        place.write_text("no\n" * 3 if content is None else json.dumps(before | content) + "\n")
        capsys.readouterr()
        assert main(["runs", "--json", "--plot"]) == 0
        captured = capsys.readouterr()
        assert [run["name"] for run in json.loads(captured.out)["runs"]] == ["a"]
        assert reason in captured.err
        place.write_bytes(good)


def test_a_run_gets_its_curves_or_it_is_said_what_to_install(monkeypatch, capsys):
    train(*ADDING, "--updates", 3, "--name", "a")
    assert "written: runs/a/curves.png" in capsys.readouterr().out
    assert Path("runs/a/curves.svg").stat().st_size > 1000
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    train(*ADDING, "--updates", 3, "--name", "b")
    assert "the curves are not drawn: plots need Matplotlib" in capsys.readouterr().err
    assert not Path("runs/b/curves.svg").exists()


# ---- tasks ---------------------------------------------------------------------------------------------------------


def test_the_tasks_are_listed(capsys):
    assert main(["tasks", "--json"]) == 0
    found = {task["name"]: task for task in json.loads(capsys.readouterr().out)["tasks"]}
    assert list(found) == list(TASKS)
    assert found["adding"]["solved"] == "wrong at most 0.01"
    assert found["text"]["solved"] is None
    assert (found["text"]["steps"], found["text"]["reads_text"]) == (50, True)
    assert main(["tasks"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {row[0] for row in rows if row} >= set(TASKS)
    assert ":form=..." in {row[0] for row in rows if row}


def test_a_task_is_told_of_with_what_can_be_chosen(capsys):
    assert main(["tasks", "adding:form=1997"]) == 0
    said = capsys.readouterr().out
    for line in (
        "adding:form=1997: the sum of the two numbers that are marked among T",
        "  reference: Hochreiter & Schmidhuber 1997, section 5.4; Le, Jaitly & Hinton 2015, section 4.1",
        "  length:    50 steps, or --steps T",
        "  solved:    wrong at most 0 of 2,000 examples; judged on 256 unseen examples, or as many as it names",
        "    adding:form=...  2015 or 1997 (default: 2015)",
        "  to learn it: tinygrad-rnn train --task adding:form=1997 --until-solved",
    ):
        assert line in said.splitlines()
    assert main(["tasks", "copy", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["tasks"]
    assert found["defaults"] == {"symbols": 8, "length": 10}
    assert found["values"] == {"symbols": "a whole number", "length": "a whole number"}


def test_every_task_can_be_told_of(capsys):
    for task in TASKS:
        assert main(["tasks", task]) == 0
    assert "hello:" in capsys.readouterr().out


#: Those whose steps are more than were asked for, or fixed.
QUICK = ("copy", "hello")


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=() if task in QUICK else pytest.mark.slow) for task in TASKS]
)
def test_a_run_of_every_task_can_be_resumed_with_the_same_bits(without_curves, task):
    options = ("--task", task, "--hidden", 4, "--batch", 2, "--validate-every", 2, "--cell", "gru")
    train(*options, "--updates", 3, "--name", "whole")
    train(*options, "--updates", 2, "--name", "part")
    train("--resume", "--name", "part", "--updates", 3)
    for name in ("metrics.jsonl", "settings.json", "checkpoints/00000003.safetensors"):
        assert Path("runs/part", name).read_bytes() == Path("runs/whole", name).read_bytes()


# ---- dropout on every command that trains --------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["graph", "flow", "train"])
def test_dropout_with_one_layer_is_refused(refused, command):
    cells = () if command == "train" else ("--cells", "rnn")
    complaint = refused(command, *cells, "--task", "adding", "--steps", 4, "--dropout", 0.5, "--out", "a")
    assert "take --layers 2 or more" in complaint
    assert not [path for path in Path("a").glob("*") if path.name != ".tinygrad_rnn.json"]


def test_dropout_changes_what_graph_trains_and_nothing_before_that():
    sizes = ("--task", "adding", "--steps", "4", "--hidden", "4", "--layers", "2", "--batch", "2", "--train", "2")
    made = {}
    for share in ("0", "0.5"):
        options = ("--cell", "rnn", "--format", "dot", "--out", share, "--dropout", share)
        assert main(["graph", *sizes, *options]) == 0
        flows = (json.loads(Path(share, f"rnn{when}.flow.json").read_text()) for when in (".init", ""))
        made[share] = [flow["loss"] for flow in flows]
    assert made["0"][0] == made["0.5"][0]
    assert made["0"][1] != made["0.5"][1]
