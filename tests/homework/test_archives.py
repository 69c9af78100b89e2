"""Archives are looked into, never unpacked, and little of them is read."""

import contextlib
import os
import stat
import zipfile

import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework import archives
from tinygrad_rnn.homework.archives import open_submission

NAMES = ("engine.py", "written.md")


def zipped(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


def test_files_are_found_at_the_top_in_folders_and_alone(tmp_path):
    path = zipped(tmp_path / "a.zip", [("engine.py", "x = 1\r\n"), ("written.md", "because"), ("other.py", "")])
    assert open_submission(path, NAMES) == {"engine.py": "x = 1\n", "written.md": "because"}
    path = zipped(tmp_path / "b.zip", [("hw1/engine.py", "x"), ("__MACOSX/hw1/engine.py", "\0")])
    assert open_submission(path, NAMES) == {"engine.py": "x"}
    (tmp_path / "engine.py").write_bytes(b"\xef\xbb\xbfx = 1")
    assert open_submission(tmp_path, NAMES) == open_submission(tmp_path / "engine.py", NAMES) == {"engine.py": "x = 1"}
    assert open_submission(zipped(tmp_path / "c.zip", []), NAMES) == {}


HOSTILE = {
    "traversal": ([("../../engine.py", "x")], "leads out of it"),
    "absolute": ([("/etc/engine.py", "x")], "leads out of it"),
    "drive": ([("C:\\engine.py", "x")], "leads out of it"),
    "link": ([(link("engine.py"), "/etc/passwd")], "is a link"),
    "bomb": ([("engine.py", b"\0" * (1 << 25))], "larger than"),
    "many files": ([(f"{number}", "") for number in range(1001)], "1,001 entries"),
    "two of them": ([("a/engine.py", "x"), ("b/engine.py", "y")], "2 times"),
    "encoding": ([("engine.py", "x = 'é'".encode("latin-1"))], "not UTF-8"),
    "binary": ([("engine.py", b"x\0")], "zero bytes"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_line(tmp_path, case):
    entries, said = HOSTILE[case]
    with pytest.raises(InputError, match=said) as caught:
        open_submission(zipped(tmp_path / "x.zip", entries), NAMES)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.rglob("*")] == ["x.zip"]


SAVED = {
    "with a mark": "x = 'é'\r\n".encode("utf-8-sig"),
    "as Latin-1 says": "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
    "in the second line": "#!python\n# vim: set fileencoding=cp1252 :\nx = 'é'\n".encode("cp1252"),
    "as Notepad says Unicode": "x = 'é'\r\n".encode("utf-16"),
    "and the other way round": b"\xfe\xff" + "x = 'é'\r".encode("utf-16-be"),
}


@pytest.mark.parametrize("case", SAVED)
def test_the_encoding_is_the_one_that_a_file_says(tmp_path, case):
    (tmp_path / "engine.py").write_bytes(SAVED[case])
    text = open_submission(tmp_path, NAMES)["engine.py"]
    assert "\r" not in text
    (tmp_path / "engine.py").write_text(text, encoding="utf-8")  # as it is handed on
    names = {}
    exec(compile((tmp_path / "engine.py").read_bytes(), "engine.py", "exec"), names)
    assert names["x"] == "é"


@pytest.mark.parametrize("said", ["nothing", "punycode", "undefined", "zip"])
def test_an_encoding_that_is_none_of_a_text_is_refused(tmp_path, said):
    (tmp_path / "engine.py").write_bytes(f"# coding: {said}\n".encode() + b"x = 'a--\xff'")
    with pytest.raises(InputError, match="not UTF-8"):
        open_submission(tmp_path, NAMES)


@pytest.mark.parametrize(
    "name",
    ["engine (2).py", "engine_final.py", "engine-1.py", "ada engine.py", "hw1/Copy of engine.py", "a/b/engine.py"],
)
def test_a_file_is_found_that_got_a_longer_name_or_path_on_its_way(tmp_path, name):
    others = [("__MACOSX/._engine.py", "\0"), (".DS_Store", "\0"), ("engines.py", "no"), ("my.py", "no")]
    others += [("hw1/.ipynb_checkpoints/engine.py", "old")]
    for given in (name, name.replace("/", "\\")):
        path = zipped(tmp_path / "a.zip", [(given, "x = 1"), *others])
        assert open_submission(path, NAMES) == {"engine.py": "x = 1"}
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "as it was")
    assert open_submission(tmp_path / "as it was", NAMES) == {"engine.py": "x = 1"}


def test_its_own_name_and_few_folders_come_first_and_two_are_too_many(tmp_path):
    entries = [("engine (2).py", "2"), ("hw1/engine.py", "x"), ("hw1/old/engine.py", "y")]
    assert open_submission(zipped(tmp_path / "a.zip", entries), NAMES) == {"engine.py": "x"}
    for twice in (["engine (1).py", "engine (2).py"], ["engine.py", "engine.py"]):
        with pytest.warns(UserWarning, match="Duplicate name") if twice[0] == twice[1] else contextlib.nullcontext():
            path = zipped(tmp_path / "b.zip", [(each, "") for each in twice])
        with pytest.raises(InputError, match=r"the archive has engine\.py 2 times"):
            open_submission(path, NAMES)


def test_a_name_in_other_letters_is_another_file(tmp_path):
    path = zipped(tmp_path / "a.zip", [("Engine.py", "x = 1"), ("ENGINE.PY", "x = 2"), ("engine.py", "x = 3")])
    assert open_submission(path, NAMES) == {"engine.py": "x = 3"}
    assert open_submission(zipped(tmp_path / "b.zip", [("Engine.py", "x = 1"), ("engine.PY", "")]), NAMES) == {}


def test_what_is_no_archive_and_what_is_a_link_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\3\4 and nothing more")
    with pytest.raises(InputError, match="cannot be read"):
        open_submission(tmp_path / "x.zip", NAMES)
    whole = zipped(tmp_path / "y.zip", [("engine.py", os.urandom(1000).hex())]).read_bytes()
    (tmp_path / "z.zip").write_bytes(whole[:60] + b"\0\0\0\0" + whole[64:])
    with pytest.raises(InputError, match="cannot be read"):
        open_submission(tmp_path / "z.zip", NAMES)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "engine.py").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="link"):
        open_submission(tmp_path / "folder", NAMES)
    (tmp_path / "l.zip").symlink_to(tmp_path / "y.zip")
    with pytest.raises(InputError, match="link"):
        open_submission(tmp_path / "l.zip", NAMES)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_zipfile_unpacks_without_a_bound_is_not_unpacked(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("engine.py", bytes(1 << 25))
    with pytest.raises(InputError, match="packed in a way that is not read; zip it"):
        open_submission(tmp_path / "a.zip", NAMES)


def test_no_folder_of_others_is_read_through_a_link(tmp_path):
    reference, own = tmp_path / "reference", tmp_path / "own"
    reference.mkdir()
    own.mkdir()
    (reference / "engine.py").write_text("x = 1")
    (own / "hw1").symlink_to(reference)
    assert open_submission(own, NAMES) == {}


def test_a_folder_with_an_environment_in_it_is_not_looked_through(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_FILES", 5)
    for number in range(4):
        (tmp_path / f"{number}.py").write_text("")
    assert open_submission(tmp_path, NAMES) == {}
    (tmp_path / "engine.py").write_text("")
    with pytest.raises(InputError, match="the folder has 5 files or more"):
        open_submission(tmp_path, NAMES)


def test_ends_of_names_may_be_capitals(tmp_path):
    (tmp_path / "ENGINE.PY").write_text("x = 1")
    assert open_submission(tmp_path / "ENGINE.PY", NAMES) == {"engine.py": "x = 1"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such pipes here")
@pytest.mark.parametrize("name", ["a.zip", "engine.py", "b"])
def test_nothing_is_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="neither a file nor a folder"):
        open_submission(tmp_path / name, NAMES)
