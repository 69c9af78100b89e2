"""Gradescope: the zip that an instructor uploads, and, run there, the results of one submission."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinygrad_rnn.homework import building
from tinygrad_rnn.homework.assignment import Assignment
from tinygrad_rnn.homework.checks import Check, checks_in, checks_of, text_of
from tinygrad_rnn.homework.grading import grade_one
from tinygrad_rnn.homework.judging import MORE
from tinygrad_rnn.homework.packing import wheel, zipped
from tinygrad_rnn.serialization import write_whole

__all__ = ["autograder", "main", "patience_for", "results"]

#: Seconds that all checks together may take: Gradescope ends a grader after ten minutes unless told otherwise.
_SECONDS = 540.0

_SETUP = """#!/usr/bin/env bash
# Run once, when Gradescope makes the machine: Python 3.11 or newer, and the package in an environment of its own.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
apt-get update
python=python3
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    apt-get install -y python3-venv
else
    python=python3.11
    apt-get install -y python3.11 python3.11-venv
fi
"$python" -m venv "$root/venv"
"$root/venv/bin/pip" install --no-cache-dir "$root"/source/*.whl
"""
_RUN = """#!/usr/bin/env bash
# Run for each submission: writes results.json, also where grading itself fails.
root=${AUTOGRADER_ROOT:-/autograder}
chmod -R go-rwx "$root/source" "$root/results"
export TINYGRAD_RNN_BACKEND=reference OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
"$root/venv/bin/python" -m tinygrad_rnn.homework.gradescope \\
    "$root/source/assignment" "$root/submission" "$root/results/results.json" SEED VISIBILITY ||
    echo '{"score": 0, "output": "not graded: the grader itself failed; tell your instructor"}' \\
    > "$root/results/results.json"
"""


def autograder(folder: Path, seed: int = 0, visibility: str = "after_due_date") -> bytes:
    """Return the zip to upload: its two scripts, the package as a wheel, and the assignment with its reference.

    Args:
        folder: where the assignment is.
        seed: what the checks draw from.
        visibility: when students see the results of the checks, a word of `formats.VISIBILITIES`.

    Raises:
        InputError: something of the assignment is wrong, or the package was never installed.
    """
    assignment, _ = building.source_of(folder)
    hidden = text_of(folder / building.HIDDEN)
    checks_in(hidden)
    name, content = wheel()
    files = {name: content, "setup.sh": _SETUP.encode()}
    files["run_autograder"] = _RUN.replace("SEED", str(seed)).replace("VISIBILITY", visibility).encode()
    files[f"assignment/{building.HIDDEN}"] = hidden.encode()
    for each in ("assignment.toml", *assignment.files):
        files[f"assignment/{each}"] = (folder / each).read_bytes()
    return zipped(files, executable=("setup.sh", "run_autograder"))


def results(assignment: Assignment, told: dict[str, Any], visibility: str, seconds: float) -> dict[str, Any]:
    """Return what `grade_one` found as Gradescope's results.json has it.

    Args:
        assignment: what was asked for.
        told: what was found.
        visibility: when students see the checks, a word of `formats.VISIBILITIES`.
        seconds: how long it took.
    """
    titles = {task.id: task.title["en"] for task in assignment.tasks}
    tests = [
        {
            "name": f"{each['task']} {titles[each['task']]}: {each['check']}",
            "number": each["task"],
            "score": each["earned"],
            "max_score": each["points"],
            "status": "passed" if each["earned"] else "failed",
            "output": each["message"] or "right",
            "output_format": "text",
            "visibility": visibility,
        }
        for each in told["results"]
    ]
    shown = {"output": told["note"]} if told["note"] else {}
    score = round(sum(told["points"].values()), 6)
    about = {"score": score, "execution_time": round(seconds, 3), "stdout_visibility": "hidden"}
    return about | shown | {"tests": tests}


def patience_for(checks: Sequence[Check]) -> float:
    """Return the seconds that a check may take, so that all are done in time, also where none comes to an end.

    Args:
        checks: those of the assignment; one of each task gets more, when it was too slow.
    """
    longest: dict[str, float] = {}
    for each in checks:
        longest[each.task] = max(each.times, longest.get(each.task, 0.0))
    shares = sum(each.times for each in checks) + MORE * sum(longest.values())
    return min(20.0, max(1.0, _SECONDS // shares))


def main(arguments: list[str]) -> int:
    """Grade the submission that Gradescope unpacked, and write its results.json.

    Args:
        arguments: the folder of the assignment, that of the submission, the file to write, the seed, the visibility.
    """
    source, submission, out = map(Path, arguments[:3])
    assignment, _ = building.source_of(source)
    begun = time.monotonic()
    patience = patience_for(checks_of(source / building.HIDDEN))
    told = grade_one(source, submission, int(arguments[3]), patience)
    found = results(assignment, told, arguments[4], time.monotonic() - begun)
    write_whole(out, (json.dumps(found, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
