"""`tinygrad-rnn train` and `sample`."""

import os
import re
import signal

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.train import load_checkpoint

SMALL = ("--steps", "6", "--hidden", "8", "--batch", "4", "--every", "2")


@pytest.fixture
def train(tmp_path, text_file):
    def run(*options, out="model.safetensors", text=True):
        source = ("--text", text_file) if text else ()
        assert main(["train", *SMALL, *source, "--out", str(tmp_path / out), *options]) == 0
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
    assert first.startswith("to be")
    assert len(first) == 5 + 30 + 1
    assert set(first) <= set("to be or not to be that is the question \n")
    assert written(capsys, *options) == first
    assert written(capsys, *options, "--seed", "1") != first
    greedy = written(capsys, *options, "--temperature", "0")
    assert written(capsys, *options, "--temperature", "0", "--seed", "1") == greedy


def test_training_can_be_resumed_from_anywhere_with_the_same_result(train, tmp_path, monkeypatch):
    whole = train("--updates", "7", out="whole.safetensors")
    part = train("--updates", "3", out="part.safetensors")
    monkeypatch.chdir(tmp_path.parent)
    assert main(["train", "--resume", "--updates", "7", "--out", str(part), "--hidden", "99"]) == 0
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
    assert "No such file" in refused("train", "--resume", "--out", tmp_path / "nowhere")
    assert "cannot write into" in refused("train", "--out", os.path.join(text_file, "model"))
    assert "is a folder" in refused("train", "--out", tmp_path)
    model = train("--updates", "2")
    assert "had 2 updates already" in refused("train", "--resume", "--updates", "2", "--out", model)
    assert "text without '€'" in refused("sample", "--model", model, "--prompt", "€")
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
    updates = int(re.search(r"saved .* after (\d+) updates", error)[1])
    assert load_checkpoint(model).settings["updates"] == updates
    assert main(["train", "--resume", "--out", str(model), "--updates", str(updates + 1)]) == 0


def test_a_resumed_training_finds_its_text_in_the_place_given(train, tmp_path, text_file):
    train("--updates", "2")
    moved = tmp_path / "elsewhere.txt"
    os.rename(text_file, moved)
    model = train("--updates", "3", "--resume", "--text", str(moved), text=False)
    assert load_checkpoint(model).settings["text"] == str(moved.resolve())
