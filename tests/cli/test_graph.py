"""`tinygrad-rnn graph`: the files it writes, the table, the JSON."""

import hashlib
import json
import platform
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import tinygrad_rnn
from tests.cli.conftest import SMALL, visible
from tests.viz.sheet_page import page_of
from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.files import MANIFEST
from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.nn import CELLS
from tinygrad_rnn.tasks import TASKS

KINDS = ("dot", "svg", "flow.json", "run.safetensors")


def flow(folder, stem):
    return json.loads((folder / f"{stem}.flow.json").read_text())


def test_every_cell_leaves_its_files_before_and_after_training(graph):
    folder = graph()
    stems = [f"{cell}{when}" for cell in ("rnn", "lstm", "gru") for when in ("", ".init")]
    assert sorted(path.name for path in visible(folder)) == sorted(f"{s}.{k}" for s in stems for k in KINDS)
    for stem in stems:
        dot = (folder / f"{stem}.dot").read_text()
        assert dot.startswith("digraph")
        assert f"{stem.removesuffix('.init').upper()}, {'initial' if 'init' in stem else 'trained'}" in dot
        assert ElementTree.parse(folder / f"{stem}.svg").getroot().tag.endswith("svg")


def test_flow_json_has_the_fields_of_its_schema(graph):
    folder = graph("--cell", "lstm", "--cell", "gru", "--seed", "3")
    for stem in ("lstm", "lstm.init", "gru"):
        found = flow(folder, stem)
        assert list(found) == [
            "schema", "cell", "task", "steps", "hidden", "batch", "seed", "dtype", "text", "text_sha256", "updates",
            "when", "versions", "status", "loss", "hidden_grad",
            "cell_grad", "states", "weights", "horizon", "verdict", "verdict_reason", "explodes_at",
            "per_step", "layers", "sigma_max", "remedies",
        ]  # fmt: skip
        assert found["schema"] == "tinygrad_rnn.flow/1"
        assert [found[k] for k in ("task", "steps", "hidden", "batch", "seed")] == ["text", 6, 5, 3, 3]
        assert found["cell"] == stem.partition(".")[0]
        assert found["dtype"] == "float64"
        text = Path(found["text"]).read_bytes()
        assert found["text_sha256"] == hashlib.sha256(text).hexdigest()
        assert (found["updates"], found["when"]) == ((0, "initial") if stem.endswith(".init") else (2, "trained"))
        assert found["versions"] == {
            "tinygrad_rnn": tinygrad_rnn.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        }
        with safetensors.safe_open(folder / f"{stem}.run.safetensors", "numpy") as run:
            settings = json.loads(run.metadata()["settings"])
        assert {name: settings[name] for name in ("text", "text_sha256", "updates", "when")}.items() <= found.items()
        assert found["status"] == "ok"
        assert len(found["hidden_grad"]) == 6
        assert set(found["horizon"]) == {"threshold", "state", "steps"}
        assert len(found["layers"]) == 1
        assert found["layers"][0]["direction"] == "forward"
        recurrent = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
        assert set(found["weights"]) == recurrent | {"output.weight", "output.bias"}
        assert all(len(found["weights"][name]["per_step"]) == 6 for name in recurrent)
        assert found["weights"]["output.weight"]["per_step"] is None
    lstm = flow(folder, "lstm")
    assert lstm["states"] == {"h": lstm["hidden_grad"], "c": lstm["cell_grad"]}
    assert len(lstm["cell_grad"]) == 6
    assert flow(folder, "gru")["cell_grad"] is None


def test_the_run_holds_all_it_takes_to_compute_the_loss_again(graph):
    folder = graph("--cell", "lstm")
    run = safetensors.numpy.load_file(folder / "lstm.run.safetensors")
    sizes = {name: value.shape for name, value in run.items()}
    characters = len(set("to be or not to be that is the question "))
    assert sizes == {
        "weight_ih_l0": (20, characters),
        "weight_hh_l0": (20, 5),
        "bias_ih_l0": (20,),
        "bias_hh_l0": (20,),
        "output.weight": (characters, 5),
        "output.bias": (characters,),
        "inputs": (6, 3, characters),
        "targets": (6, 3),
        "h0": (1, 3, 5),
        "c0": (1, 3, 5),
    }
    assert all(run[name].dtype == np.float64 for name in run if name != "targets")
    other = safetensors.numpy.load_file(folder / "lstm.init.run.safetensors")
    np.testing.assert_array_equal(run["inputs"], other["inputs"])
    assert (run["weight_hh_l0"] != other["weight_hh_l0"]).any()


def test_the_same_seed_gives_the_same_files(graph):
    folders = [graph("--cell", "gru", "--seed", seed, out=out) for seed, out in (("1", "a"), ("1", "b"), ("2", "c"))]
    for kind in ("dot", "flow.json", "run.safetensors"):
        first, again, other = [(folder / f"gru.{kind}").read_bytes() for folder in folders]
        assert first == again
        assert first != other


def test_a_cell_gives_the_same_numbers_alone_and_among_others(graph):
    together, alone = graph("--cell", "rnn", "--cell", "gru", out="a"), graph("--cell", "gru", out="b")
    assert flow(together, "gru") == flow(alone, "gru")


def test_the_table_fits_a_page_and_agrees_with_the_files(graph, capsys):
    folder = graph("--cell", "rnn", "--cell", "lstm", "--steps", "12")
    printed = capsys.readouterr().out
    assert max(map(len, printed.partition("written:")[0].splitlines())) <= 80
    assert "…" not in printed
    rows = [line.split() for line in printed.splitlines() if re.search(r" [hc] +\d", line)]
    assert [row[:3] for row in rows[:2]] == [["rnn", "initial", "h"], ["rnn", "trained", "h"]]
    assert [row[:1] for row in rows[3::2]] == [["c"], ["c"]]
    trained = flow(folder, "rnn")
    gradient = np.array(trained["hidden_grad"])
    shown = [float(number) for number in rows[1][3:6]]
    np.testing.assert_allclose(shown, gradient[::-1][[1, 10, 11]] / gradient[-1], rtol=0.06)
    horizon = trained["horizon"]["steps"]
    assert rows[1][6] == (f">{11}" if horizon is None else str(horizon))
    assert rows[1][7] == trained["verdict"]
    cell = np.array(flow(folder, "lstm")["cell_grad"])
    np.testing.assert_allclose(float(rows[-1][1]), cell[-2] / cell[-1], rtol=0.06)
    assert f"{folder}/lstm.init.{{dot,svg,flow.json,run.safetensors}}" in printed.replace("\\", "/")
    assert re.search(r"rnn +\d\.\d+ -> \d\.\d+", printed)


def test_a_wide_table_of_two_layers_is_not_cut(graph, capsys):
    folder = graph("--cell", "lstm", "--layers", "2", "--steps", "12", "--format", "dot")
    printed = capsys.readouterr().out
    assert max(map(len, printed.partition("written:")[0].splitlines())) <= 80
    assert "layer 1 c" in printed
    assert "flow.html" not in printed, "where it was not written, nobody is sent there"
    found = flow(folder, "lstm")
    assert [layer["layer"] for layer in found["layers"]] == [0, 1]
    assert found["hidden_grad"] == found["layers"][1]["hidden_grad"] != found["layers"][0]["hidden_grad"]
    assert "weight_hh_l1" in found["weights"]


def test_json_is_all_that_is_on_stdout(graph, capsys):
    folder = graph("--cell", "gru", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "tinygrad_rnn.graph/1"
    before, after = found["results"]
    assert (before["cell"], before["when"], after["when"]) == ("gru", "initial", "trained")
    gradient = flow(folder, "gru")["hidden_grad"]
    assert after["states"][0]["relative"] == {"1": gradient[-2] / gradient[-1], "5": gradient[0] / gradient[-1]}
    assert after["verdict"] == flow(folder, "gru")["verdict"]
    assert after["files"] == [str(folder / f"gru.{kind}") for kind in KINDS]
    assert before["training_loss"] == pytest.approx(np.log(found_size(folder)), abs=0.5)


def found_size(folder):
    return safetensors.numpy.load_file(folder / "gru.run.safetensors")["output.bias"].size


def test_without_training_both_states_are_the_same(graph, capsys):
    folder = graph("--cell", "rnn", "--train", "0")
    assert flow(folder, "rnn") == flow(folder, "rnn.init")
    assert "untrained" in capsys.readouterr().out


def test_one_step_has_no_lag_to_show(graph):
    assert len(flow(graph("--cell", "gru", "--steps", "1"), "gru")["hidden_grad"]) == 1


def test_the_adding_problem_can_be_measured(graph, capsys):
    folder = graph("--cell", "rnn", "--task", "adding", text=False)
    run = safetensors.numpy.load_file(folder / "rnn.run.safetensors")
    assert run["inputs"].shape == (6, 3, 2)
    assert run["targets"].shape == (3,)
    assert flow(folder, "rnn")["task"] == "adding"
    assert "squared error" in capsys.readouterr().out


def test_every_operation_can_be_drawn(graph):
    gates, every = (graph("--cell", "gru", "--level", level, out=level) for level in ("cell", "ops"))
    assert (every / "gru.dot").read_text().count("label=") > 2 * (gates / "gru.dot").read_text().count("label=")


def test_pictures_have_the_looks_asked_for(graph):
    folder = graph("--cell", "rnn", "--backward", "--theme", "dark", "--no-legend", "--no-caption", formats="dot")
    for name in ("rnn.init.dot", "rnn.dot", "rnn.backward.dot"):
        dot = (folder / name).read_text()
        assert 'bgcolor="#14181e"' in dot
        assert "cluster_legend" not in dot
        assert "trained" not in dot


@pytest.mark.usefixtures("quick_pictures")
def test_plots_of_graph_come_in_the_formats_asked_for(graph):
    folder = graph("--cell", "rnn", "--theme", "print", "--size", "4:3", "--font", "14", formats="html,pdf")
    assert {path.suffix for path in visible(folder) if path.name.startswith("through_time")} == {".pdf"}
    assert "--theme print --size 4:3 --font 14.0 --format html,pdf" in page_of(folder).texts["pre"][0]
    for name in ("stepper.html", "stepper.init.html"):
        assert '"theme":"print"' in (folder / name).read_text(encoding="utf-8")


def test_only_the_formats_asked_for_are_written(graph):
    folder = graph("--cell", "rnn", "--format", "dot")
    kinds = {path.name.removeprefix("rnn.").removeprefix("init.") for path in visible(folder)}
    assert kinds == {"dot", "flow.json", "run.safetensors"}


def test_measuring_in_float32_says_so(graph):
    folder = graph("--cell", "rnn", "--dtype", "float32")
    assert flow(folder, "rnn")["dtype"] == "float32"
    assert safetensors.numpy.load_file(folder / "rnn.run.safetensors")["weight_hh_l0"].dtype == np.float32


def test_without_a_text_there_is_one_that_is_the_same_everywhere(tmp_path, capsys):
    assert main(["graph", *SMALL, "--cell", "rnn", "--format", "dot", "--out", str(tmp_path)]) == 0
    assert re.search(r"text: .* the same everywhere: 200,161 characters.* sha256 8a061d2cc5c5", capsys.readouterr().err)


def test_a_cell_with_options_has_files_of_a_safe_name_and_says_what_it_is(graph, capsys):
    folder = graph("--cell", "lstm:forget_bias=3.0", "--cell", "irnn", "--cell", "lstm:forget_bias=3", "--json")
    found = json.loads(capsys.readouterr().out)
    assert [result["cell"] for result in found["results"]] == ["lstm:forget_bias=3"] * 2 + ["irnn"] * 2
    stems = [f"{name}{when}" for name in ("lstm-forget_bias-3", "irnn") for when in ("", ".init")]
    assert sorted(path.name for path in visible(folder)) == sorted(f"{s}.{k}" for s in stems for k in KINDS)
    assert flow(folder, "lstm-forget_bias-3")["cell"] == "lstm:forget_bias=3"
    assert "LSTM (forget bias 3), initial" in (folder / "lstm-forget_bias-3.init.dot").read_text()
    run = safetensors.numpy.load_file(folder / "lstm-forget_bias-3.init.run.safetensors")
    assert ((run["bias_ih_l0"] + run["bias_hh_l0"])[5:10] == 3).all()


def test_the_help_lists_every_cell_and_task_and_their_commands_the_options(capsys):
    for command in ("graph", "train"):
        assert main([command, "--help"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        for name in CELLS:
            assert re.search(rf"\b{name}\b", shown)
        assert all(re.search(rf"\b{name}\b", shown) for name in TASKS)
    for command, table in (("cells", CELLS), ("tasks", TASKS)):
        assert main([command]) == 0
        shown = capsys.readouterr().out
        assert all(f":{option}=" in shown for entry in table.values() for option in entry.options)


# ---- what is drawn --------------------------------------------------------------------------------------------------


def test_the_default_has_pages_with_all_cells_and_the_plots(graph):
    folder = graph("--cell", "rnn", "--cell", "lstm:forget_bias=3", formats=None)
    for name in ("stepper.html", "stepper.init.html", "flow.html"):
        page = (folder / name).read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>")
        assert "://" not in page.replace("http://www.w3.org/", "").replace("http://purl.org/", "")
    assert "RNN" in (folder / "stepper.html").read_text(encoding="utf-8")
    sheet = (folder / "flow.html").read_text(encoding="utf-8")
    assert "lstm:forget_bias=3, 2 updates" in sheet
    assert "tinygrad-rnn graph --cell rnn --cell lstm:forget_bias=3 --text" in page_of(folder).texts["pre"][0]
    assert {path.suffix for path in visible(folder)} == {".dot", ".svg", ".json", ".safetensors", ".html", ".png"}


def test_without_matplotlib_the_page_has_no_plots_and_says_so(graph, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    folder = graph("--cell", "rnn", formats="html")
    said = capsys.readouterr().err
    assert f"{folder / 'flow.html'} will have sentences and tables, but no plots" in said
    assert "pip install 'tinygrad-rnn[plots]'" in said
    assert (folder / "stepper.html").exists()
    page = (folder / "flow.html").read_text(encoding="utf-8")
    assert "<table>" in page
    assert "<img" not in page
    assert "Not drawn: plots need Matplotlib" in page
    assert not list(folder.glob("*.png"))


def test_steps_may_be_a_window(graph):
    folder = graph("--cell", "gru", "--steps", "4:7")
    assert flow(folder, "gru")["steps"] == 7
    dot = (folder / "gru.dot").read_text()
    assert [step for step in range(7) if f'"cluster_t{step}"' in dot] == [4, 5, 6]
    assert "t = 0 to 3" in dot
    again = graph("--cell", "gru", "--steps", "7", "--window", "4:7", out="again")
    assert (again / "gru.dot").read_text() == dot


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--steps", "9:3"), "such as 90:100"),
        (("--window", "3"), "such as 90:100"),
        (("--window", "6:9"), "behind the last of 6 steps"),
        (("--steps", "2:6", "--window", "1:3"), "leave --window out"),
        (("--decades", "0"), "whole number from 1"),
    ],
)
def test_windows_that_show_nothing_are_refused(refused, tmp_path, options, complaint):
    assert complaint in refused("graph", *SMALL, "--out", tmp_path, *options)
    assert not list(tmp_path.iterdir())


def test_the_rolled_cell_and_every_operation(graph):
    rolled = (graph("--cell", "lstm", "--level", "rolled", out="rolled") / "lstm.dot").read_text()
    assert "each of 6 steps" in rolled
    assert "cluster_t0" not in rolled
    ops = (graph("--cell", "lstm", "--level", "ops", "--window", "0:6", out="ops") / "lstm.dot").read_text()
    assert '"t5_matmul' in ops


def test_the_backward_pass_is_drawn_beside_the_rest(graph):
    folder = graph("--cell", "rnn", "--backward")
    dot = (folder / "rnn.backward.dot").read_text()
    assert "The backward pass: RNN, trained" in dot
    assert "∂L/∂weight_hh_l0" in dot
    assert (folder / "rnn.init.backward.svg").exists()


def test_pictures_that_graphviz_cannot_draw_are_not_said_to_be_there_and_no_others(graph, monkeypatch, capsys):
    from tinygrad_rnn.cli import graph as graph_command

    real = graph_command.viz.render

    def render(dot, path, kind):
        if kind == "svg" and ("backward" in str(path)) == backward and "nothing" not in str(path):
            raise MissingToolError("too large for Graphviz")
        return real(dot, path, kind)

    monkeypatch.setattr(graph_command.viz, "render", render)
    monkeypatch.setattr(graph_command, "DEFAULT_FORMATS", ("dot", "svg"))
    for backward in (True, False):
        folder = graph("--cell", "rnn", "--backward", "--json", formats=None, out=f"out{backward}")
        captured = capsys.readouterr()
        for result in json.loads(captured.out)["results"]:
            named = {Path(name).name for name in result["files"]}
            stem = "rnn.init" if result["when"] == "initial" else "rnn"
            assert named == {
                path.name for path in visible(folder)
                if path.name.startswith(stem) and (stem == "rnn.init") == path.name.startswith("rnn.init")
            }  # fmt: skip
            assert (f"{stem}.svg" in named, f"{stem}.backward.svg" in named) == (backward, not backward)
        assert "too large for Graphviz" in captured.err


@pytest.mark.usefixtures("quick_pictures")
def test_the_pages_know_each_other(graph, capsys):
    folder = graph("--cell", "rnn", formats="html")
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"open {folder / 'flow.html'} first: ")
    pages = ("flow.html", "stepper.html", "stepper.init.html")
    for name in pages:
        text = (folder / name).read_text(encoding="utf-8")
        found = re.findall(r'<a href="([a-z.]+)">', text)
        assert sorted(found) == sorted({*pages} - {name})
    assert "What training did: " in (folder / "stepper.html").read_text(encoding="utf-8")
    assert "What training did: " not in (folder / "stepper.init.html").read_text(encoding="utf-8")
    untrained = graph("--cell", "rnn", "--train", "0", formats="html", out="untrained")
    assert "stepper.init.html" in (untrained / "stepper.html").read_text(encoding="utf-8")


def test_what_to_change_is_printed_and_in_the_json(graph, capsys):
    folder = graph("--cell", "lstm", "--steps", "20", formats="dot")
    printed = capsys.readouterr().out
    said = " ".join(printed[printed.index("lstm, initial, what to change: ") :].split("written:")[0].split())
    graph("--cell", "lstm", "--steps", "20", "--json", formats="dot")
    assert "explodes where it is anywhere more than 100 times that of" in " ".join(printed.split())
    assert "not that anything is learned from there" in " ".join(printed.split())
    before, after = json.loads(capsys.readouterr().out)["results"]
    assert said == (
        f"lstm, initial, what to change: {before['change']} lstm, trained, what to change: {after['change']}"
    )
    tried = flow(folder, "lstm")["remedies"]
    helps = next(each for each in tried if each["verdict"] == "survives")
    assert after["change"].startswith(f"with {helps['what']}, and nothing else, the gradient would survive: ")
    assert after["why"].startswith("the units that hold the gradient are ")


# ---- only what belongs to this run -----------------------------------------------------------------------------------


def test_what_an_earlier_run_wrote_and_this_one_did_not_is_gone_and_what_others_wrote_stays(graph):
    folder = graph("--cell", "rnn,lstm", "--backward", formats="dot,svg")
    (folder / "lstm.svg").write_text("changed by somebody")
    for name in ("gru.png", "notes.txt", "lstm.old.svg"):
        (folder / name).write_text("precious")
    graph("--cell", "gru", formats="dot")
    stems = ("gru", "gru.init")
    own = [f"{stem}.{kind}" for stem in stems for kind in KINDS if kind != "svg"]
    assert sorted(path.name for path in visible(folder)) == sorted(
        [*own, "lstm.svg", "gru.png", "notes.txt", "lstm.old.svg"]
    )
    assert (folder / "gru.png").read_text() == "precious"


def test_a_run_that_fails_removes_nothing_and_the_next_one_still_knows_what_is_ours(graph, monkeypatch):
    from tinygrad_rnn.cli import graph as graph_command

    folder = graph("--cell", "rnn")
    monkeypatch.setattr(graph_command, "fit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        graph("--cell", "lstm")
    assert {"rnn.svg", "lstm.init.svg"} <= {path.name for path in visible(folder)}
    monkeypatch.undo()
    graph("--cell", "gru")
    assert {path.name.partition(".")[0] for path in visible(folder)} == {"gru"}


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"graph": 3}', b'{"graph": {"../small.txt": [1, 2, 3]}}', b"\xff"])
def test_a_list_of_our_files_that_cannot_be_read_means_that_nothing_is_known_to_be_ours(graph, tmp_path, content):
    folder = graph("--cell", "rnn")
    (folder / MANIFEST).write_bytes(content)
    graph("--cell", "gru")
    assert (folder / "rnn.svg").exists()
    assert (tmp_path / "small.txt").exists()


@pytest.mark.parametrize(
    "options", [("--cell", "rnn,gru"), ("--cells", "rnn,gru"), ("--cell", "rnn", "--cells", "gru"), ("--cell", "rnn",
    "--cell", "gru,rnn")]
)  # fmt: skip
def test_cells_come_in_a_list_or_one_by_one(graph, capsys, options):
    graph(*options, "--json", "--train", "0", formats="dot")
    found = json.loads(capsys.readouterr().out)
    assert [result["cell"] for result in found["results"]] == ["rnn", "rnn", "gru", "gru"]


def test_training_that_diverges_is_said_and_the_other_cells_are_measured(graph, monkeypatch, capsys):
    from tinygrad_rnn.cli import graph as graph_command

    real_fit, real_evaluate = graph_command.fit, graph_command.evaluate

    def fit(model, *rest):
        yield from real_fit(model, *rest)
        if model.cell_name == "rnn":
            raise InputError("the loss is inf: training diverged")

    def evaluate(model, *rest):
        return real_evaluate(model, *rest) * (1e4 if next(losses) else 1)

    losses = iter([False, False, False, True])
    monkeypatch.setattr(graph_command, "fit", fit)
    monkeypatch.setattr(graph_command, "evaluate", evaluate)
    graph("--cell", "rnn,gru", "--json", formats="dot")
    captured = capsys.readouterr()
    ended = [result["ended"] for result in json.loads(captured.out)["results"]]
    assert ended[:3] == [None, "the loss is inf: training diverged", None]
    assert "training diverged: the loss went from" in ended[3]
    assert "rnn: the loss is inf" in captured.err
    assert f"gru: {ended[3]}" in captured.err
