"""`tinygrad-rnn flow`: the sheet of plots, the page, the table, the JSON."""

import base64
import importlib
import json
import re
import shlex
import types
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tests.cli.conftest import visible
from tests.viz.sheet_page import page_of
from tinygrad_rnn.cli import flow as flow_command
from tinygrad_rnn.cli import main
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.viz.plots import PLOTS
from tinygrad_rnn.viz.sheet import LEADING, files

README = Path(__file__).parents[2] / "README.md"
SMALL = ("--steps", "6", "--hidden", "4", "--batch", "3", "--train", "3")


@pytest.fixture
def flow(tmp_path, text_file):
    """Run `flow` on small sizes and return the folder with the files."""

    def run(*options, out="out"):
        assert main(["flow", *SMALL, "--text", text_file, "--out", str(tmp_path / out), *options]) == 0
        return tmp_path / out

    return run


def test_the_sheet_is_complete_and_agrees_with_the_numbers(flow, capsys):
    folder = flow("--cells", "rnn,lstm:forget_bias=0,gru")
    captured = capsys.readouterr()
    stems = ("rnn", "lstm-forget_bias-0", "gru")
    own = [f"{stem}.{kind}" for stem in stems for kind in ("flow.json", "run.safetensors")]
    assert sorted(path.name for path in visible(folder)) == sorted([*own, *files()])
    page = page_of(folder)
    assert len(page.images) == len(PLOTS) == 9
    order = sorted(PLOTS, key=lambda name: name != LEADING[0])  # training is shown first, the rest in its order
    for image, name in zip(page.images, order, strict=True):
        kind, _, content = image["src"].partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert base64.b64decode(content) == (folder / f"{name}.svg").read_bytes()
        assert ElementTree.fromstring(base64.b64decode(content)).tag.endswith("svg")
        assert re.search(r"rnn|lstm|gru", image["alt"])
        assert "infinite" not in image["alt"]
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    gradient = json.loads((folder / "rnn.flow.json").read_text())["hidden_grad"]
    left = f"{gradient[0] / gradient[-1]:.3g}"
    assert left in page.texts["td"]
    assert f"rnn h from 1 at lag 0 to {left} at lag 5" in page.images[order.index("through_time")]["alt"]
    assert left in captured.out
    assert max(map(len, captured.out.partition("factor per step,")[0].splitlines())) <= 100
    assert "…" not in captured.out
    for said in ("rnn: measuring", "update 3/3", "plot: What do the gates let through?"):
        assert said in captured.err
    run = safetensors.numpy.load_file(folder / "lstm-forget_bias-0.run.safetensors")
    np.testing.assert_array_equal((run["bias_ih_l0"] + run["bias_hh_l0"])[4:8], 0)


@pytest.mark.slow
def test_the_page_says_how_to_get_it_again(flow, tmp_path, monkeypatch):
    folder = flow("--cells", "gru", "--seed", "7", "--threshold", "0.5")
    (command,) = page_of(folder).texts["pre"]
    program, *arguments = shlex.split(command)
    assert program == "tinygrad-rnn"
    before = {path.name: path.read_bytes() for path in visible(folder)}
    for path in visible(folder):
        path.unlink()
    assert main(arguments) == 0
    assert {path.name: path.read_bytes() for path in visible(folder)} == before
    settings = dict(zip(page_of(folder).texts["dt"], page_of(folder).texts["dd"], strict=True))
    assert settings["seed"] == "7"
    assert settings["threshold"] == "0.5"
    assert json.loads((folder / "gru.flow.json").read_text())["horizon"]["threshold"] == 0.5
    assert {"tinygrad_rnn", "Python", "numpy", "matplotlib"} <= set(settings)


@pytest.mark.usefixtures("quick_pictures")
def test_without_training_the_page_says_what_is_missing(flow):
    folder = flow("--cells", "rnn", out="out")
    assert (folder / "clipping.svg").exists()
    assert json.loads((folder / "rnn.flow.json").read_text())["dtype"] == "float64"
    folder = flow("--cells", "rnn", "--train", "0", out="out")
    assert not (folder / "clipping.svg").exists()
    page = page_of(folder)
    assert len(page.images) == 6  # nor has the cell any gates
    said = " ".join(page.texts["p"])
    for sentence in ("Nothing was trained, so nothing was clipped.", "None of the cells has a gate with a name."):
        assert sentence in said


@pytest.mark.usefixtures("quick_pictures")
def test_json_is_all_that_is_on_stdout(flow, capsys):
    folder = flow("--cells", "lstm:forget_bias=3,irnn", "--layers", "2", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "tinygrad_rnn.sheet/1"
    assert [result["cell"] for result in found["results"]] == ["lstm:forget_bias=3", "irnn"]
    first = found["results"][0]
    assert [state["state"] for state in first["states"]] == ["layer 1 h", "layer 1 c", "layer 0 h", "layer 0 c"]
    for layer in (0, 1):
        assert any(said.startswith(f"lstm:forget_bias=3 (layer {layer})") for said in found["claims"])
    numbers = json.loads((folder / "lstm-forget_bias-3.flow.json").read_text())
    assert first["states"][0]["relative"]["5"] == numbers["hidden_grad"][0] / numbers["hidden_grad"][-1]
    assert [moment["updates"] for moment in first["training"]] == [0, 1, 3]
    assert sorted(found["files"]) == sorted(str(path) for path in visible(folder))


@pytest.mark.usefixtures("quick_pictures")
def test_one_step_can_be_shown(flow):
    page = page_of(flow("--cells", "rnn,lstm", "--steps", "1"))
    assert (
        "rnn: no verdict, because there is a single step, so there is nothing to compare: unroll at least 2 steps."
        in page.texts["dd"]
    )


@pytest.mark.usefixtures("quick_pictures")
def test_a_trained_model_can_be_shown(flow, tmp_path, text_file, capsys, refused):
    model = tmp_path / "model.safetensors"
    train = ["train", "--cell", "gru", "--steps", "5", "--hidden", "4", "--batch", "3", "--updates", "2"]
    assert main([*train, "--text", text_file, "--out", str(model)]) == 0
    out = tmp_path / "sheet"
    sizes = ["--steps", "7", "--batch", "2", "--threshold", "0.25"]
    assert main(["flow", "--model", str(model), *sizes, "--out", str(out)]) == 0
    assert "gru, 2 updates" in capsys.readouterr().out
    assert json.loads((out / "gru.flow.json").read_text())["horizon"]["threshold"] == 0.25
    run = safetensors.numpy.load_file(out / "gru.run.safetensors")
    assert run["inputs"].shape[:2] == (7, 2)
    weights = safetensors.numpy.load_file(model)
    np.testing.assert_array_equal(run["weight_hh_l0"].astype("float32"), weights["model.rnn.weight_hh_l0"])
    page = page_of(out)
    assert "Nothing was trained, so there is no change to show." in page.texts["p"]
    assert f"--model {model}" in page.texts["pre"][0]
    assert "goes with --cells" in refused("flow", "--model", model, "--hidden", "8")
    assert "goes with --cells" in refused("flow", "--model", model, "--train", "8")
    assert "not allowed with" in refused("flow", "--model", model, "--cells", "rnn")
    assert "does not exist" in refused("flow", "--model", model, "--text", tmp_path / "gone.txt")


@pytest.mark.usefixtures("quick_pictures")
def test_a_trained_model_keeps_its_characters_on_another_text(tmp_path, text_file):
    model, other, out = tmp_path / "model.safetensors", tmp_path / "other.txt", tmp_path / "sheet"
    other.write_text("not a bee " * 20)
    train = ["train", "--steps", "5", "--hidden", "4", "--updates", "1", "--text", text_file, "--out", str(model)]
    assert main(train) == 0
    assert main(["flow", "--model", str(model), "--text", str(other), "--dtype", "float32", "--out", str(out)]) == 0
    run = safetensors.numpy.load_file(out / "lstm.run.safetensors")
    assert run["inputs"].shape[2] == len(set("to be or not to be that is the question "))
    assert run["inputs"].dtype == np.float32
    assert json.loads((out / "lstm.flow.json").read_text())["dtype"] == "float32"


@pytest.mark.usefixtures("quick_pictures")
def test_a_file_that_is_no_model_is_refused(refused, tmp_path, flow):
    assert "cannot read" in refused("flow", "--model", tmp_path / "gone.safetensors")
    folder = flow("--cells", "rnn")
    assert "is not a model written by" in refused("flow", "--model", folder / "rnn.run.safetensors")


@pytest.mark.usefixtures("quick_pictures")
def test_training_that_diverges_ends_that_cell_alone(flow, monkeypatch, capsys):
    real = flow_command.training_flow

    def diverging(model, *rest, **keywords):
        for made, measurement in real(model, *rest, **keywords):
            yield made, measurement
            if model.cell_name == "irnn":
                raise InputError("the loss is nan: training diverged")

    monkeypatch.setattr(flow_command, "training_flow", diverging)
    found = json.loads((flow("--cells", "irnn,rnn", "--json"), capsys.readouterr().out)[1])
    irnn, rnn = found["results"]
    assert irnn["ended"] == "the loss is nan: training diverged"
    assert len(irnn["training"]) == 2
    assert rnn["ended"] is None
    assert len(rnn["training"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cells", "rnn,elman"], "unknown cell 'elman'"),
        (["--cells", ""], "unknown cell ''"),
        (["--cells", "lstm:forget_bias=x"], "'x' is not a number"),
        (["--cells", "gru:forget_bias=1"], "is no option of gru"),
        (["--threshold", "nan"], "'nan' is not a number above 0 and at most 1"),
        (["--threshold", "0"], "'0' is not a number above 0 and at most 1"),
        (["--threshold", "2"], "is not a number above 0 and at most 1"),
        (["--task", "adding", "--text", "x"], "--text goes with --task text"),
        (["--task", "adding", "--steps", "1"], "marks two different steps"),
        (["--hidden", "1000000"], "GB of memory"),
    ],
)
def test_wrong_usage_is_one_line(refused, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("flow", *arguments).replace('"', "'")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("quick_pictures")
def test_a_cell_is_measured_once(flow, capsys):
    flow("--cell", "gru", "--cells", "rnn,gru", "--train", "0", "--json")
    assert [result["cell"] for result in json.loads(capsys.readouterr().out)["results"]] == ["gru", "rnn"]


@pytest.mark.usefixtures("quick_pictures")
def test_the_threshold_decides_what_counts_as_vanished(flow, capsys):
    found = []
    for threshold in ("0.9999", "1e-9"):
        folder = flow("--cells", "rnn", "--train", "1", "--threshold", threshold, "--json")
        result = json.loads(capsys.readouterr().out)["results"][0]
        assert json.loads((folder / "rnn.flow.json").read_text())["horizon"]["threshold"] == float(threshold)
        found.append((result["verdict"], result["states"][0]["horizon"], result["training"][-1]["horizon"]))
    assert found[0] == ("vanishes", 1, 1)
    assert found[1] == ("survives", None, None)


@pytest.mark.usefixtures("quick_pictures")
def test_the_threshold_holds_before_and_in_the_course_of_training(flow, capsys):
    flow("--cells", "rnn", "--threshold", "0.9", "--json")
    (found,) = json.loads(capsys.readouterr().out)["results"]
    assert found["states"][0]["relative"]["1"] < 0.9
    assert [moment["horizon"] for moment in found["training"]] == [1, 1, 1]


@pytest.fixture
def never_measures(monkeypatch):
    monkeypatch.setattr(flow_command, "measure", lambda *_, **__: pytest.fail("it began to measure"))


@pytest.mark.usefixtures("never_measures")
def test_a_folder_that_cannot_be_written_is_noticed_at_once(refused, tmp_path, text_file):
    command = ["flow", *SMALL, "--text", text_file, "--out"]
    (tmp_path / "file").write_text("precious")
    assert "there is a file of that name" in refused(*command, tmp_path / "file")
    (tmp_path / "out" / "flow.html").mkdir(parents=True)
    assert "is a folder" in refused(*command, tmp_path / "out")


def test_without_matplotlib_the_numbers_are_written_and_it_is_said_what_to_install(flow, monkeypatch, capsys):
    real = importlib.import_module

    def refuse(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError("no module of that name")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", refuse)
    folder = flow("--cells", "rnn,gru")
    captured = capsys.readouterr()
    first = captured.err.splitlines()[0]
    assert "flow.html and its plots will not be written" in first
    assert "pip install 'tinygrad-rnn[plots]'" in first
    assert captured.out.rstrip().endswith("no flow.html, for want of Matplotlib")
    assert "rnn vanishes" in captured.out or "rnn survives" in captured.out
    stems = {f"{cell}.{kind}" for cell in ("rnn", "gru") for kind in ("flow.json", "run.safetensors")}
    assert {path.name for path in visible(folder)} == stems


# ---- looks, seeds, other programs ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_plots_come_in_the_formats_and_looks_asked_for(flow):
    looks = ("--theme", "dark", "--size", "16:9", "--no-legend", "--no-caption")
    folder = flow("--cells", "gru", "--format", "pdf,png", *looks)
    kinds = {path.suffix for path in visible(folder)}
    assert kinds == {".pdf", ".png", ".html", ".json", ".safetensors"}
    assert (folder / "gates.pdf").read_bytes().startswith(b"%PDF")
    png = (folder / "gates.png").read_bytes()
    assert [int.from_bytes(png[at : at + 4], "big") for at in (16, 20)] == [1920, 1080]
    page = page_of(folder)
    assert all("svg+xml" in image["src"] for image in page.images)
    assert "--theme dark --size 16:9 --no-legend --no-caption --format pdf,png" in page.texts["pre"][0]
    svg = base64.b64decode(page.images[0]["src"].partition(",")[2]).decode()
    assert "#14181e" in svg
    assert "filter: none" in (folder / "flow.html").read_text(), "the page does not turn dark plots into light ones"


@pytest.mark.usefixtures("quick_pictures")
def test_several_seeds_are_measured_and_told(flow, capsys):
    folder = flow("--cells", "rnn,gru", "--seed", "4", "--seeds", "3", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["seeds"] == 3
    stems = {4: "gru", 5: "gru.seed-5", 6: "gru.seed-6"}
    left = []
    for one, (seed, stem) in zip(found["results"][1]["seeds"], stems.items(), strict=True):
        numbers = json.loads((folder / f"{stem}.flow.json").read_text())
        assert numbers["seed"] == one["seed"] == seed
        assert (numbers["verdict"], numbers["horizon"]["steps"]) == (one["verdict"], one["horizon"])
        assert (folder / f"{stem}.run.safetensors").exists()
        left.append(numbers["hidden_grad"][0] / numbers["hidden_grad"][-1])
    assert len(set(left)) == 3
    (said,) = [each for each in found["claims"] if each.startswith("gru, over 3 seeds: the median")]
    assert f"is {np.median(left):.3g}, its quartiles {np.quantile(left, 0.25):.3g} and" in said
    verdicts = [each["verdict"] for each in found["results"][1]["seeds"]]
    counted = f"gru, over 3 seeds: {verdicts[0]} with {verdicts.count(verdicts[0])}"
    assert any(each.startswith(counted) for each in found["claims"])
    assert sorted(found["files"]) == sorted(str(path) for path in visible(folder))
    alone = flow("--cells", "gru", "--seed", "5", out="alone")
    assert (alone / "gru.flow.json").read_bytes() == (folder / "gru.seed-5.flow.json").read_bytes()


def test_seeds_go_with_cells(refused, tmp_path):
    assert "--seeds goes with --cells" in refused("flow", "--model", tmp_path / "m", "--seeds", "2")


@pytest.mark.usefixtures("quick_pictures")
def test_the_line_of_the_readme_makes_a_table_of_a_flow_json(flow, monkeypatch):
    (line,) = [each for each in README.read_text(encoding="utf-8").splitlines() if "pd.DataFrame" in each]
    folder = flow("--cells", "lstm:forget_bias=3")
    path = re.search(r'"([^"]*flow\.json)"', line).group(1)
    code = line.replace(path, str(folder / "lstm-forget_bias-3.flow.json"))
    assert path == "build/flow/lstm-forget_bias-3.flow.json"
    states = json.loads((folder / "lstm-forget_bias-3.flow.json").read_text())["states"]

    def check(made):
        assert list(made) == ["h", "c"]
        assert [list(made[kind]) for kind in made] == list(states.values())
        assert {len(sizes) for sizes in states.values()} == {6}

    check(eval(code, {"json": json, "pd": types.SimpleNamespace(DataFrame=lambda columns: columns)}))
    pandas = pytest.importorskip("pandas")
    check(eval(code, {"json": json, "pd": pandas}))
