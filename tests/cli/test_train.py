"""`tinygrad-rnn train` and `sample`."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import serialization
from tinygrad_rnn.cli import main, trainers
from tinygrad_rnn.tasks import Vocabulary
from tinygrad_rnn.train import load_checkpoint
from tinygrad_rnn.train.checkpoint import FORMAT

SMALL = ("--steps", "6", "--hidden", "8", "--batch", "4", "--every", "2")


@pytest.fixture
def train(tmp_path, text_file):
    def run(*options, out="model.safetensors", text=True, small=SMALL):
        source = ("--text", text_file) if text else ()
        assert main(["train", *small, *source, "--out", str(tmp_path / out), *options]) == 0
        return tmp_path / out

    return run


def written(capsys, *options):
    capsys.readouterr()
    assert main(["sample", *options]) == 0
    return capsys.readouterr().out


def test_a_trained_model_writes(train, capsys):
    model = train("--updates", "60", "--lr", "0.05")
    losses = re.search(r"lstm: (\d\.\d+) -> (\d\.\d+) nats/char on unseen", capsys.readouterr().out)
    assert float(losses[2]) < float(losses[1])
    options = ("--model", str(model), "--prompt", "to be", "--length", "30")
    first = written(capsys, *options)
    assert written(capsys, *options, "--top-k", "1") == written(capsys, *options, "--temperature", "0") != first
    assert first.startswith("to be")
    assert len(first) == 5 + 30 + 1
    assert set(first) <= set("to be or not to be that is the question \n")
    assert written(capsys, *options) == first
    assert written(capsys, *options, "--seed", "1") != first
    greedy = written(capsys, *options, "--temperature", "0")
    assert written(capsys, *options, "--temperature", "0", "--seed", "1") == greedy


def test_hello_is_written_from_its_first_letter(train, capsys):
    model = str(
        train("--updates", "60", "--lr", "0.05", "--task", "hello", "--cell", "rnn", text=False, small=SMALL[2:])
    )
    assert written(capsys, "--model", model, "--temperature", "0") == "hello\n"
    assert written(capsys, "--model", model, "--temperature", "0", "--length", "2") == "hel\n"
    said = written(capsys, "--model", model, "--evaluate")
    assert "the word of hello, which it has learned: 0." in said
    assert "over 4 characters" in said


def test_code_is_written_from_a_definition(train, capsys, tmp_path):
    (tmp_path / "a.py").write_text("def a():\n    return 1\n" * 40)
    model = str(train("--updates", "2", "--task", "code", "--text", str(tmp_path / "a.py"), text=False))
    assert written(capsys, "--model", model).startswith("def ")


def test_how_well_a_model_knows_a_text_is_measured_on_what_it_has_not_learned(train, capsys, tmp_path, text_file):
    model = str(train("--updates", "2"))
    said = written(capsys, "--model", model, "--evaluate")
    text = Path(text_file).read_text()
    end = text[int(0.9 * len(text)) :]
    assert f"the end of {text_file}, which it has not learned: " in said
    bits, characters = re.search(r"(\S+) bits/char over (\d+) characters", said).groups()
    assert int(characters) == len(end) - 1
    nats, perplexity = map(float, re.search(r"(\S+) nats/char, a perplexity of (\S+)\n", said).groups())
    assert float(bits) == pytest.approx(nats / np.log(2), rel=0.01)
    assert perplexity == pytest.approx(np.exp(nats), rel=0.01)
    shares = np.array([end.count(each) for each in set(end)]) / len(end)
    alone = float(re.search(r"how often each character comes in it: (\S+) bits/char", said)[1])
    assert alone == pytest.approx(-(shares * np.log2(shares)).sum(), rel=0.01)
    (tmp_path / "other.txt").write_text("to be the question")
    assert "over 17 characters" in written(capsys, "--model", model, "--evaluate", str(tmp_path / "other.txt"))
    (tmp_path / "small.txt").write_text(text + "to be or not to be")
    capsys.readouterr()
    assert main(["sample", "--model", model, "--evaluate"]) == 0
    assert "has changed since the training" in capsys.readouterr().err


def test_what_evaluating_does_without_is_refused(train, refused):
    model = train("--updates", "1")
    for words in (("--prompt", "t"), ("--length", 3), ("--top-k", 2)):
        assert f"so {words[0]} does nothing; leave it out" in refused("sample", "--model", model, "--evaluate", *words)


def test_characters_that_a_model_has_never_read_are_counted_where_it_is_evaluated(train, tmp_path, capsys):
    many = "".join(map(chr, range(0x4E00, 0x4E00 + Vocabulary.LARGEST + 8)))
    (tmp_path / "small.txt").write_text((many[:-9] * 2 + many[-9:]) * 2, encoding="utf-8")
    model = train("--updates", "1")
    (tmp_path / "other.txt").write_text(many[:5] + "€€ö", encoding="utf-8")
    capsys.readouterr()
    assert main(["sample", "--model", str(model), "--evaluate", str(tmp_path / "other.txt")]) == 0
    assert "3 characters of 8 the model has never read; each counts as '\ufffd'" in capsys.readouterr().err
    (tmp_path / "other.txt").write_text(many[:8], encoding="utf-8")
    assert main(["sample", "--model", str(model), "--evaluate", str(tmp_path / "other.txt")]) == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--layers", "2", "--dropout", "0.5", "--dtype", "float64", "--seed", "4"),
        ("--task", "text:stateful=true", "--cell", "lstm"),
    ],
)
def test_training_can_be_resumed_from_anywhere_with_the_same_result(train, tmp_path, monkeypatch, options):
    whole = train("--updates", "7", *options, out="whole.safetensors")
    part = train("--updates", "3", *options, out="part.safetensors")
    tg.manual_seed(123)  # as in another process
    monkeypatch.chdir(tmp_path.parent)
    assert main(["train", "--resume", "--updates", "7", "--out", str(part)]) == 0
    assert part.read_bytes() == whole.read_bytes()
    assert load_checkpoint(part).settings["updates"] == 7


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_adding_problem_trains_and_does_not_write(train, refused, capsys, cell):
    model = train("--updates", "3", "--task", "adding", "--cell", cell, "--layers", "2", text=False)
    assert "squared error" in capsys.readouterr().out
    assert "was not trained on text" in refused("sample", "--model", model)
    assert main(["train", "--resume", "--updates", "4", "--out", str(model)]) == 0


def test_a_cell_with_options_is_kept_and_resumed(train, capsys):
    model = train("--updates", "2", "--cell", "gru:update_bias=1.0")
    assert load_checkpoint(model).model.cell_name == "gru:update_bias=1"
    train("--updates", "4", "--resume", text=False)
    assert "gru:update_bias=1: " in capsys.readouterr().out
    assert load_checkpoint(model).model.cell_name == "gru:update_bias=1"


def test_a_short_text_is_evaluated_on_itself_and_says_so(train, tmp_path, capsys):
    (tmp_path / "short.txt").write_text("abcdefgh")
    train("--updates", "2", "--text", str(tmp_path / "short.txt"), text=False)
    assert "on the text itself, too short to hold some out" in capsys.readouterr().out


def test_a_text_with_many_characters_is_cut_and_any_prompt_is_read(train, tmp_path, capsys):
    (tmp_path / "wide.txt").write_text("".join(map(chr, range(0x4E00, 0x4E00 + 600))) * 2)
    model = train("--updates", "2", "--text", str(tmp_path / "wide.txt"), text=False)
    assert "600 different ones, the 512 most frequent are kept" in capsys.readouterr().err
    assert written(capsys, "--model", str(model), "--prompt", "€", "--length", "2").startswith("€")


def test_what_cannot_be_used_is_refused(train, refused, tmp_path, text_file):
    assert "No such file" in refused("sample", "--model", tmp_path / "nowhere")
    assert "not a safetensors file" in refused("sample", "--model", text_file)
    assert "not a safetensors file" in refused("train", "--resume", "--out", text_file)
    assert "take --layers 2 or more" in refused("train", "--dropout", "0.5", "--out", tmp_path / "m")
    assert "No such file" in refused("train", "--resume", "--out", tmp_path / "nowhere")
    assert "cannot write into" in refused("train", "--out", os.path.join(text_file, "model"))
    assert "is a folder" in refused("train", "--out", tmp_path)
    model = train("--updates", "2")
    assert "had 2 updates already" in refused("train", "--resume", "--updates", "2", "--out", model)
    assert "without '€'" in refused("sample", "--model", model, "--prompt", "€")
    assert "prompt is empty" in refused("sample", "--model", model, "--prompt", "")
    os.remove(text_file)
    assert "does not exist" in refused("train", "--resume", "--updates", "4", "--out", model)


def test_a_resumed_training_takes_the_learning_rate_given_or_else_the_one_it_had(train):
    def rate(model):
        return load_checkpoint(model).optimizer_state["lr"].item()

    assert rate(train("--updates", "1")) == 0.01
    assert rate(train("--updates", "2", "--lr", "0.05")) == 0.05
    assert rate(train("--updates", "3", "--resume", text=False)) == 0.05
    assert rate(train("--updates", "4", "--resume", "--lr", "0.02", text=False)) == 0.02


def test_training_that_diverges_keeps_the_last_good_model(train, refused, text_file, tmp_path):
    command = ["train", *SMALL, "--text", text_file, "--out", tmp_path / "wild.safetensors", "--lr", "1e38"]
    assert "diverged" in refused(*command, at_once=False)
    assert not (tmp_path / "wild.safetensors").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_an_interrupted_training_keeps_what_it_has_learned(started, tmp_path, text_file):
    model = tmp_path / "model.safetensors"
    options = ("--text", text_file, "--out", model, "--every", 10**6)
    process = started("train", *SMALL[:-2], *options, "--updates", 10**6)
    for line in process.stderr:
        if "update 1/" in line:
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in error
    updates = int(re.search(r"saved .* after (\d+) updates?; go on with --resume --out", error)[1])
    assert load_checkpoint(model).settings["updates"] == updates
    assert main(["train", "--resume", "--out", str(model), "--updates", str(updates + 1)]) == 0


def test_a_resumed_training_finds_its_text_in_the_place_given(train, tmp_path, text_file):
    train("--updates", "2")
    moved = tmp_path / "elsewhere.txt"
    os.rename(text_file, moved)
    model = train("--updates", "3", "--resume", "--text", str(moved), text=False)
    assert load_checkpoint(model).settings["text"] == str(moved.resolve())


def test_a_file_from_before_there_were_runs_goes_on_and_writes(train, capsys):
    model = train("--updates", "2")
    whole = train("--updates", "4", out="whole")
    about = json.loads(serialization.load_metadata(model)[FORMAT])
    for name in ("kind", "version", "sha256"):
        del about[name]
    for name in ("target", "validate_every", "until_solved", "text_sha256"):
        del about["settings"][name]
    serialization.save(model, serialization.load(model), {FORMAT: json.dumps(about)})
    assert written(capsys, "--model", str(model), "--length", "3")
    train("--resume", "--updates", "4", text=False)
    expected, found = serialization.load(whole), serialization.load(model)
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in expected.items()
    }


# ---- what is there already -----------------------------------------------------------------------------------------


def test_a_model_that_is_there_already_is_kept_beside_and_none_is_ever_lost(train, refused, capsys, tmp_path):
    model = train("--updates", "2")
    first = model.read_bytes()
    train("--updates", "2", "--seed", "1", "--every", "1")
    assert f"{model} is there already; it will be kept as {model}.prev" in capsys.readouterr().err
    kept = tmp_path / f"{model.name}.prev"
    assert kept.read_bytes() == first
    second = model.read_bytes()
    assert second != first
    assert "move or delete one of them" in refused("train", *SMALL, "--updates", "2", "--out", model)
    assert (model.read_bytes(), kept.read_bytes()) == (second, first)
    train("--updates", "3", "--resume", text=False)
    assert kept.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [model.name, kept.name, "small.txt"]


def test_a_training_that_fails_leaves_the_model_that_was_there_where_it_was(train, refused, text_file, tmp_path):
    model = train("--updates", "2")
    before = model.read_bytes()
    assert "diverged" in refused("train", *SMALL, "--text", text_file, "--out", model, "--lr", "1e38", at_once=False)
    assert model.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [model.name, "small.txt"]


@pytest.mark.parametrize(
    "other",
    [
        ("--cell", "gru"), ("--cell", "lstm:forget_bias=1"), ("--hidden", 9), ("--layers", 2), ("--task", "adding"),
        ("--dtype", "float64"), ("--steps", 7), ("--batch", 5), ("--clip", 0.5), ("--seed", 1),
        ("--optimizer", "sgd"), ("--validate-every", 7),
    ],
)  # fmt: skip
def test_a_resumed_training_refuses_options_that_its_model_does_not_have(train, refused, other):
    model = train("--updates", "2")
    before = model.read_bytes()
    complaint = refused("train", "--resume", "--out", model, "--updates", 3, *other)
    assert f"was trained with {other[0]} " in complaint
    assert f"not {other[1]}; leave {other[0]} out" in complaint
    assert model.read_bytes() == before


@pytest.mark.parametrize(
    ("had", "asked", "said"),
    [
        ((), ("--dropout", "0.5"), "without --dropout; leave --dropout out"),
        ((), ("--truncate", "2,3"), "without --truncate; leave"),
        ((), ("--recompute",), "without --recompute; leave"),
        ((), ("--schedule", "step:every=3"), "without --schedule; leave"),
        ((), ("--pretrain", "3"), "without --pretrain; leave"),
        (("--truncate", "2,3"), ("--truncate", "3,3"), "with --truncate 2,3, not 3,3; leave --truncate out"),
        (
            ("--schedule", "step:every=3"),
            ("--schedule", "step:every=4"),
            "with --schedule step:every=3, not step:every=4",
        ),
        (("--zoneout", "0.25"), ("--zoneout", "0.5"), "with --zoneout 0.25, not 0.5;"),
        (("--zoneout", "c=0.5,h=0.25"), ("--zoneout", "h=0.25"), "with --zoneout h=0.25,c=0.5, not h=0.25;"),
    ],
)
def test_what_a_resumed_training_refuses_is_said_in_the_words_of_the_options(train, refused, had, asked, said):
    model = train("--updates", "1", *had)
    assert f"was trained {said}" in refused("train", "--resume", "--out", model, "--updates", 3, *asked)


def test_a_resumed_training_takes_the_words_that_it_was_made_with(train):
    options = ("--optimizer", "adam:beta1=0.90:beta2=0.95", "--schedule", "step:every=03")
    train("--updates", "1", *options)
    train("--updates", "2", "--resume", *options)


@pytest.mark.parametrize(
    ("had", "asked"), [("h=0.25", "h=0.25"), ("c=0.5", "h=0,c=0.5"), ("0.25", "c=0.25,h=0.25"), ("0", "h=0")]
)
def test_zoneout_of_some_states_is_the_same_however_it_is_said(train, had, asked):
    train("--updates", "1", "--zoneout", had)
    train("--updates", "2", "--resume", "--zoneout", asked)


def test_zoneout_of_a_state_is_said_once(refused):
    assert "'h=0.1,h=0.2' says h twice" in refused("train", "--zoneout", "h=0.1,h=0.2")


def test_a_resumed_training_says_what_it_does_differently(train, tmp_path, capsys):
    model = train("--updates", "1")
    (tmp_path / "more.txt").write_text("that is the question to be or not to be " * 20)
    train("--updates", "2", "--resume", "--lr", "0.05", "--text", str(tmp_path / "more.txt"), text=False)
    said = capsys.readouterr().err
    assert f"goes on with {tmp_path / 'more.txt'} instead of {tmp_path / 'small.txt'}" in said
    assert "goes on with the learning rate 0.05 instead of 0.01" in said
    train("--updates", "3", "--resume", "--lr", "0.05", text=False)
    assert "goes on with" not in capsys.readouterr().err
    assert load_checkpoint(model).settings["text"] == str((tmp_path / "more.txt").resolve())


@pytest.mark.parametrize(
    "said",
    [
        {"task": "chess"}, {"task": None}, {"text": 3}, {"steps": 0}, {"steps": 10**9}, {"steps": "6"}, {"steps": True},
        {"batch": -1}, {"batch": 2.0}, {"clip": 0}, {"clip": float("nan")}, {"clip": None}, {"seed": 2**70},
        {"updates": -1}, {"updates": None}, {"vocabulary": "aa"}, {"vocabulary": ""}, {"vocabulary": 3},
        {"vocabulary": "abc"}, {"task": "adding", "text": None},
    ],
)  # fmt: skip
def test_what_a_file_says_of_its_training_is_checked(train, refused, said):
    model = train("--updates", "1")
    about = json.loads(serialization.load_metadata(model)[FORMAT])
    about["settings"].update(said)
    serialization.save(model, serialization.load(model), {FORMAT: json.dumps(about)})
    complaint = refused("train", "--resume", "--out", model, "--updates", 3)
    assert any(word in complaint for word in ("--resume", "says", "without"))
    if said.keys() & {"steps", "updates", "task", "vocabulary"}:
        refused("flow", "--model", model, "--out", model.parent / "sheet")
    if "vocabulary" in said:
        refused("sample", "--model", model)


# ---- what training came to, and what is written ----------------------------------------------------------------------


def test_training_that_ends_far_above_where_it_began_is_said_to_have_diverged(train, capsys):
    train("--updates", "12", "--lr", "30", "--cell", "rnn:nonlinearity=relu", "--every", "100")
    captured = capsys.readouterr()
    assert "warning: training diverged: the loss went from" in captured.err
    train("--updates", "12", "--cell", "rnn", out="other")
    assert "diverged" not in capsys.readouterr().err


def test_weights_that_are_no_numbers_are_not_saved(train, refused, monkeypatch, text_file, tmp_path):
    from tinygrad_rnn.train import trainer

    real = trainer.fit

    def spoiling(model, *rest):
        for update in real(model, *rest):
            model.output.bias.assign_(model.output.bias + float("inf"))
            yield update

    monkeypatch.setattr(trainer, "fit", spoiling)
    command = ["train", *SMALL, "--text", text_file, "--updates", 1, "--out", tmp_path / "m"]
    assert "training diverged, and they are not saved" in refused(*command, at_once=False)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("text", "start"),
    [("the The end of The ", "The "), ("a\nb\n", "\n"), ("to be or not ", " "), ("xyzxyzzy", "x")],
)
def test_without_a_prompt_a_text_begins_with_what_the_model_knows(train, capsys, tmp_path, text, start):
    (tmp_path / "own.txt").write_text(text * 20)
    model = train("--updates", "1", "--text", str(tmp_path / "own.txt"), text=False)
    assert written(capsys, "--model", str(model), "--length", "3").startswith(start)


# ---- cures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chosen",
    [
        ("--truncate", "2,3"), ("--recompute",), ("--omega", "2", "--cell", "rnn"), ("--teacher", "sigmoid:k=5"),
        ("--clip-value", "0.01", "--schedule", "warmup:updates=5"), ("--optimizer", "sgd:momentum=0.9:nesterov=yes"),
        ("--optimizer", "rmsprop:momentum=0.5"), ("--zoneout", "c=0.5,h=0.05"),
        ("--variational", "0.3", "--optimizer", "adamw"), ("--pretrain", "2"),
    ],
)  # fmt: skip
def test_cures_are_options_and_a_resumed_training_has_them_again(train, chosen):
    whole = train("--updates", "5", *chosen, out="whole.safetensors")
    part = train("--updates", "2", *chosen, out="part.safetensors")
    assert main(["train", "--resume", "--updates", "5", "--out", str(part)]) == 0
    assert part.read_bytes() == whole.read_bytes()
    plain = train("--updates", "5", *[word for word in chosen if word in ("--cell", "rnn")], out="plain.safetensors")
    assert plain.read_bytes() != whole.read_bytes()


def test_a_resumed_training_is_not_pre_trained_again(train, monkeypatch, capsys):
    train("--updates", "1", "--pretrain", "4", "--layers", "2")
    monkeypatch.setattr(trainers, "pretrain", lambda *_, **__: pytest.fail("it pre-trains"))
    assert "layer 1 learned to predict what it reads next: squared error" in capsys.readouterr().err
    train("--updates", "2", "--resume")
    train("--updates", "3", "--resume", "--pretrain", "4")


def test_a_truncation_that_cuts_nothing_off_is_said(train, capsys):
    train("--updates", "1", "--truncate", "2,6")
    assert "a sequence has 6 steps, and 6 steps back nothing is cut off" in capsys.readouterr().err
    train("--updates", "1", "--truncate", "2,5", out="other")
    assert "cut off" not in capsys.readouterr().err


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_encoder_decoders_have_zoneout_and_variational_dropout_too(tmp_path, attention):
    options = ("--task", f"dates:attention={attention}", "--hidden", "4", "--batch", "2", "--every", "9")
    options += ("--zoneout", "0.2", "--variational", "0.3", "--out")
    assert main(["train", *options, str(tmp_path / "whole"), "--updates", "2"]) == 0
    assert main(["train", *options, str(tmp_path / "part"), "--updates", "1"]) == 0
    assert main(["train", "--resume", "--out", str(tmp_path / "part"), "--updates", "2"]) == 0
    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()


def test_cures_that_cannot_be_are_refused(refused, train):
    assert "goes back less" in refused("train", "--truncate", "3,2")
    assert "not for lstm" in refused("train", "--omega", "1", "--task", "adding", "--out", "x")
    assert "unknown schedule" in refused("train", "--schedule", "stop", "--task", "adding", "--out", "x")
    model = train("--updates", "1", "--truncate", "2,3")
    assert "was trained with --truncate 2,3, not 3,3" in refused(
        "train", "--resume", "--out", model, "--truncate", "3,3"
    )
