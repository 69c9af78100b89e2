"""What students get is looked through: files, archives, notebooks, bytecode, and what git remembers."""

import io
import py_compile
import shutil
import subprocess
import zipfile

import pytest

from tinygrad_rnn.cli.main import main
from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import building, exporting, notebooks
from tinygrad_rnn.homework.leaking import leaks_of_folder

SOLUTION = "    return np.add(np.asarray(a), np.asarray(b))\n"
SECRET = '    close(hw.twice(lambda x: factor * x, 3.0), factor * factor * 3.0, "factor * factor * 3")\n'


@pytest.fixture
def student(tiny, tmp_path):
    building.build(tiny, tmp_path)
    return tmp_path / "student"


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def commented():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = SOLUTION.encode()
    return buffer.getvalue()


def in_metadata():
    cell = notebooks.cell("code", "x = 1", note=SOLUTION)
    return notebooks.notebook([cell])


def in_an_output():
    cell = notebooks.cell("code", "x = 1")
    printed = {"output_type": "stream", "name": "stdout", "text": ["one\n", SOLUTION]}
    return notebooks.notebook([cell | {"outputs": [printed]}])


LEAKS = {
    "a file": ("more.py", SOLUTION.encode()),
    "a hidden check": ("text.md", SECRET.encode()),
    "a hidden file": (".cache/x", SOLUTION.encode()),
    "an editor's copy": ("sums.py~", SOLUTION.encode()),
    "a cell": ("x.ipynb", notebooks.notebook([notebooks.cell("code", SOLUTION)])),
    "metadata": ("x.ipynb", in_metadata()),
    "an output": ("x.ipynb", in_an_output()),
    "an archive": ("x.zip", zipped(sums=SOLUTION)),
    "an archive in an archive": ("x.whl", zipped(inner=zipped(sums=SOLUTION))),
    "the comment of an archive": ("x.zip", commented()),
    "a file of instructors": ("rubric.md", b"be kind"),
    "a file of instructors in an archive": ("x.zip", zipped(**{"hw/hidden.py": "x = 1"})),
}


def test_what_is_built_and_exported_has_none(tiny, student, tmp_path):
    assert leaks_of_folder(student, tiny) == []
    for format in ("classroom", "otter"):
        for name, content in exporting.export(tiny, format).items():
            if not name.startswith("autograder"):
                (tmp_path / format / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / format / name).write_bytes(content)
        assert leaks_of_folder(tmp_path / format, tiny) == []


@pytest.mark.parametrize("what", LEAKS)
def test_a_leak_is_found_in(tiny, student, what):
    name, content = LEAKS[what]
    (student / name).parent.mkdir(exist_ok=True)
    (student / name).write_bytes(content)
    found = leaks_of_folder(student, tiny)
    assert found
    assert all(line.startswith(name) for line in found)


@pytest.mark.parametrize("name", ["__pycache__/sums.cpython-311.pyc", "data.bin"])
def test_bytecode_is_found_also_under_another_name(tiny, student, name):
    py_compile.compile(str(tiny / "sums.py"), cfile=str(student / name), doraise=True)
    assert leaks_of_folder(student, tiny) == [f"{name}: bytecode, of which a solution can be made again; leave it out"]


def git(folder, *words):
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_what_git_remembers_counts(tiny, student):
    git(student, "init", "-q")
    git(student, "add", ".")
    git(student, "commit", "-qm", "as students get it")
    assert leaks_of_folder(student, tiny) == []

    stub = (student / "sums.py").read_text()
    shutil.copy(tiny / "sums.py", student)
    git(student, "commit", "-qam", "oh no")
    (student / "sums.py").write_text(stub)
    git(student, "commit", "-qam", "as before")
    (found, *_) = leaks_of_folder(student, tiny)
    assert found.startswith(".git: blob ")
    git(student, "reset", "-q", "--hard", "HEAD~2")  # no branch has it any more, and git has it still
    assert leaks_of_folder(student, tiny)

    shutil.rmtree(student / ".git")
    git(student, "init", "-q")
    git(student, "add", ".")
    git(student, "commit", "-qm", f"the solution is\n\n{SOLUTION.strip()}")
    (found,) = leaks_of_folder(student, tiny)
    assert found.startswith(".git: commit ")


def test_build_refuses_to_leave_an_old_solution_among_new_files(tiny, tmp_path, capsys):
    words = ["homework", "build", str(tiny), "--out", str(tmp_path)]
    assert main(words) == 0
    shutil.copy(tiny / "sums.py", tmp_path / "student" / "old.py")
    capsys.readouterr()
    assert main(words) == 1
    assert "x  not for students: old.py: returnnp.add(" in capsys.readouterr().out
    told = ["homework", "verify", str(tiny), "--handed-out"]
    assert main([*told, str(tmp_path / "student")]) == 1
    assert "leaks in " in capsys.readouterr().out
    assert main([*told, str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err
    with pytest.raises(InputError, match="is no folder"):
        leaks_of_folder(tmp_path / "nowhere", tiny)


def test_a_notebook_that_is_none_is_looked_through_as_text(tiny, student):
    (student / "x.ipynb").write_text("{\n" + SOLUTION)
    assert leaks_of_folder(student, tiny)
