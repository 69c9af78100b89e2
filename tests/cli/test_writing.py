"""`tinygrad-rnn translate` and `caption`: what trained models write, and where they look."""

import csv
import json
import pickle

import numpy as np
import pytest

from tinygrad_rnn import optim
from tinygrad_rnn.cli import caption, main
from tinygrad_rnn.cli.parser import make_parser
from tinygrad_rnn.tasks import parse_task
from tinygrad_rnn.train import EncoderDecoder, save_checkpoint

matplotlib_image = pytest.importorskip("matplotlib.image")


def found(capsys, *words):
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_texts_are_translated_and_judged_where_the_answer_is_known(untrained, capsys):
    model = untrained("dates:attention=dot")
    said = found(capsys, "translate", model, "3 March 1987", "Mar 3 1987", "3rd May")
    assert [each["known"] for each in said["results"]] == ["1987-03-03", "1987-03-03", None]
    assert [each["right"] for each in said["results"]] == [False, False, None]
    for each in said["results"]:
        (answer,) = each["answers"]
        assert len(answer["text"]) == 10
        assert 0 < answer["probability"] < 0.01
    assert main(["translate", model, "3 March 1987"]) == 0
    printed = capsys.readouterr().out
    assert "no: 1987-03-03" in printed
    assert "0 of 1 right" in printed


@pytest.mark.parametrize(
    "words", [("--beam", "2", "m", "1 May", "2 May"), ("m", "1 May", "--beam", "2", "2 May"), ("m", "1 May", "2 May")]
)
@pytest.mark.parametrize(("command", "name"), [("translate", "texts"), ("caption", "images")])
def test_options_may_stand_anywhere(words, command, name):
    options = make_parser().parse_args([command, *words])
    assert (options.model, vars(options)[name]) == ("m", ["1 May", "2 May"])
    assert options.beam == (2 if "--beam" in words else 1)


def test_what_is_missing_or_unknown_is_said(refused):
    assert "required: CHECKPOINT" in refused("translate")
    assert "unrecognized arguments: --beem" in refused("translate", "m", "--beem")
    mixed = make_parser().parse_args(["forecast", "a", "--steps", "3", "b"])
    assert (mixed.models, mixed.steps) == (["a", "b"], 3)


def test_a_wider_beam_finds_texts_at_least_as_likely(untrained, capsys):
    model = untrained("dates")
    greedy = found(capsys, "translate", model, "3 March 1987")["results"][0]["answers"]
    wide = found(capsys, "translate", model, "3 March 1987", "--beam", "4")["results"][0]["answers"]
    probabilities = [each["probability"] for each in wide]
    assert len(wide) == 4
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] >= greedy[0]["probability"]


def test_fresh_examples_are_those_of_the_seed_and_known(untrained, capsys):
    model = untrained("dates")
    first, again = (found(capsys, "translate", model, "--examples", "3") for _ in range(2))
    assert first == again
    assert [len(each["known"]) for each in first["results"]] == [10] * 3
    assert found(capsys, "translate", model, "--examples", "3", "--seed", "1")["results"] != first["results"]


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_attention_is_written_with_its_plot(untrained, capsys, tmp_path, ending):
    model, file = untrained("dates:attention=additive", dtype="float64"), tmp_path / "looks" / f"a.{ending}"
    words = ["translate", model, "1 May 2000", "--attention", str(file), "--format", "svg", "--theme", "print"]
    said = found(capsys, *words)
    assert said["files"] == [str(file), str(file.with_suffix(".svg"))]
    assert said["claims"][0].startswith("'1 May 2000' → ")
    assert b"<svg" in file.with_suffix(".svg").read_bytes()
    answer = said["results"][0]["answers"][0]["text"]
    if ending == "json":
        (one,) = json.loads(file.read_text())["found"]
        assert (one["read"], one["written"]) == ("1 May 2000", answer)
        weights = np.array(one["weights"])
    else:
        rows = list(csv.DictReader(file.open()))
        assert "".join(row["read"] for row in rows[:10]) == "1 May 2000"
        assert "".join(row["written"] for row in rows[::10]) == answer
        weights = np.array([float(row["weight"]) for row in rows]).reshape(10, 10)
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_strips_are_described_from_files_and_fresh(untrained, capsys, tmp_path):
    model = untrained("strips:digits=2")
    fresh = found(capsys, "caption", model, "--examples", "4")["results"]
    assert all(1 <= len(each["known"]) <= 2 for each in fresh)
    image = np.zeros((8, 20))
    image[1:7, 4:7] = 1.0
    np.save(tmp_path / "i.npy", image)
    matplotlib_image.imsave(tmp_path / "dark.png", image, cmap="gray", vmin=0, vmax=1)
    matplotlib_image.imsave(tmp_path / "bright.png", 1 - image, cmap="gray", vmin=0, vmax=1)
    files = [str(tmp_path / name) for name in ("i.npy", "dark.png", "bright.png")]
    csv_file = tmp_path / "a.csv"
    options = ["--attention", str(csv_file), "--format", "png", "--beam", "3"]
    said = found(capsys, "caption", model, *files, *options)
    first, *others = said["results"]
    for other in others:  # the same image
        np.testing.assert_allclose(
            [each["probability"] for each in other["answers"]], [each["probability"] for each in first["answers"]],
            rtol=1e-3,
        )  # fmt: skip
    assert first["right"] is None
    assert (tmp_path / "a.png").exists()
    read = {row["read"] for row in csv.DictReader(csv_file.open())}
    assert read <= {f"{at}:{at + 4}" for at in range(0, 32, 4)}


def test_what_cannot_be_read_is_refused(untrained, refused, tmp_path):
    dates, strips = untrained("dates"), untrained("strips:attention=none:digits=2")
    assert "has '€', which the model has never read" in refused("translate", dates, "1 Mai 2000€")
    assert "nothing to read in an empty text" in refused("translate", dates, "")
    assert "so it cannot translate dates" in refused("translate", strips)
    assert "so it cannot describe strips" in refused("caption", dates)
    assert "must end in .json or .csv" in refused("translate", dates, "--attention", tmp_path / "a.svg")
    assert "has no attention" in refused("translate", dates, "--attention", tmp_path / "a.csv")
    assert "strips:attention=soft" in refused("caption", strips, "--attention", tmp_path / "a.csv")
    assert "does not exist" in refused("caption", strips, tmp_path / "nowhere.npy")
    assert "is no .npy and no .png" in refused("caption", strips, tmp_path / "a.jpg")
    for name, image, why in [
        ("high", np.zeros((9, 8)), "8 pixels high"), ("wide", np.zeros((8, 40)), "at most 32 wide"),
        ("flat", np.zeros(8), "has the shape (8,)"), ("grey", np.full((8, 8), 16.0), "divide them by the largest"),
    ]:  # fmt: skip
        np.save(tmp_path / f"{name}.npy", image)
        assert why in refused("caption", strips, tmp_path / f"{name}.npy")
    for ending in ("npy", "png"):
        (tmp_path / f"broken.{ending}").write_bytes(b"\x89PNG\r\n\x1a\nno")
        assert "cannot be read" in refused("caption", strips, tmp_path / f"broken.{ending}")


def test_files_that_are_no_image_are_refused_whatever_is_wrong_with_them(untrained, refused, tmp_path):
    strips, path = untrained("strips:attention=none:digits=2"), tmp_path / "i.npy"
    np.save(path, np.zeros((8, 20)))
    good = path.read_bytes()
    header = good.replace(b"'shape': (8, 20), }", b"'shape': (8, 20),  ")
    huge = good.replace(b"'shape': (8, 20), }         ", b"'shape': (99999999999, 8), }")
    for data in (b"", header, huge, pickle.dumps([1, 2]), good[:200]):
        path.write_bytes(data)
        said = refused("caption", strips, path)
        assert "i.npy cannot be read: " in said
        assert "allow_pickle" not in said
    for array, what in [
        (np.full((8, 8), 0.5 + 0.3j), "complex128"), (np.zeros((8, 8), [("a", "f4"), ("b", "f4")]), "('a', '<f4')"),
        (np.full((8, 8), "1"), "<U1"), (np.zeros((8, 8), "m8[s]"), "timedelta64[s]"),
    ]:  # fmt: skip
        np.save(path, array)
        assert f"it holds {what}" in refused("caption", strips, path).replace("[('a'", "('a'")
    np.savez(tmp_path / "z.npz", np.zeros((8, 8)))
    (tmp_path / "z.npz").replace(path)
    assert "cannot be read: " in refused("caption", strips, path)
    for value in (np.nan, np.inf):
        np.save(path, np.full((8, 8), value))
        assert "i.npy: the image has NaN or infinity" in refused("caption", strips, path)


@pytest.mark.parametrize("colour", [0.0, 1.0])
def test_what_is_drawn_on_nothing_is_seen(colour, tmp_path):
    ink = np.zeros((8, 20))
    ink[1:7, 4:7] = 1.0
    drawn = np.full((8, 20, 4), colour)
    drawn[..., 3] = ink
    matplotlib_image.imsave(tmp_path / "i.png", drawn)
    np.testing.assert_array_equal(caption._read(str(tmp_path / "i.png")), ink)


def test_more_than_fits_is_refused_before_it_is_tried(refused):
    for command in ("translate", "caption"):
        assert "'1001' is not a whole number from 1 to 1000" in refused(command, "m", "--beam", 1001)
        assert "'10001' is not a whole number from 1 to 10000" in refused(command, "m", "--examples", 10_001)


def test_a_model_that_writes_more_than_its_task_asks_for_is_refused(refused, tmp_path):
    task = parse_task("dates").make()
    model = EncoderDecoder("gru", task.input_size, 4, task.output_size, replies=11)
    settings = {"task": "dates", "text": None, "steps": None, "updates": 0}
    save_checkpoint(tmp_path / "m", model, optim.SGD(model.parameters(), lr=0.1), settings)
    assert "was not trained on the task 'dates' that it names" in refused("translate", tmp_path / "m", "1 May 2000")


def test_a_long_text_is_shortened_where_it_is_refused(untrained, refused):
    said = refused("translate", untrained("dates"), "x" * 10_000)
    assert "has 'x', which the model has never read" in said
    assert len(said) < 300
