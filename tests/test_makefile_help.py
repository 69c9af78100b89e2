"""`make help` lists what make can do here, and `make graph` hands on what it was told."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def printed_by(*command: str, env: dict[str, str]) -> str:
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


def make(*arguments: str) -> str:
    # Under `make test` the outer make's variables would turn this one into a sub-make that says so.
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return printed_by("make", *arguments, env=outside)


def test_help_is_what_make_alone_prints():
    assert make() == make("help")


def test_help_lists_every_target_a_user_can_call():
    listed = re.findall(r"^  make (\S+) +\S", make("help"), flags=re.MULTILINE)
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(" ".join(phony).split())
    assert {"setup", "graph", "test", "lint", "bench", "clean"} <= set(listed)


def test_graph_hands_on_a_text_whose_name_has_a_space():
    recipe = next(line for line in make("--dry-run", "graph").splitlines() if "-m tinygrad_rnn graph" in line)
    shown = "printf '<%s>' " + recipe.partition("-m tinygrad_rnn ")[2]
    printed = printed_by("sh", "-c", shown, env={"TEXT": "my notes.txt"})
    assert printed == "<graph><--out><build/graph><--text><my notes.txt>"
