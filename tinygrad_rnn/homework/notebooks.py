"""A file with marks as a notebook, a cell for each function to write, and a notebook's cells as that file again.

Only cells that came from the file go back into it, and what was split off from them: what else is in a notebook is for
trying things.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Sequence
from typing import Any

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework.marks import lenient_regions, regions_of, words_of

__all__ = ["LARGEST", "MADE", "cell", "cells_of", "code_of", "notebook", "of", "split"]

#: The largest notebook that is read, in bytes: pictures have room, printed endlessness has none.
LARGEST = 1 << 24
#: How a file begins that was made from a notebook.
MADE = "# Made from "
#: How a cell says of which file it is a part.
_TAG = "homework"


def split(source: str) -> list[str]:
    r"""Return the parts of a file: each function or class with a region, each region outside of them, what is between.

    >>> split("import math\n\n\ndef f():\n    ### BEGIN SOLUTION 1.1\n    return 1\n    ### END SOLUTION 1.1\n")
    ['import math', 'def f():\n    ### BEGIN SOLUTION 1.1\n    return 1\n    ### END SOLUTION 1.1']
    """
    lines = source.removesuffix("\n").split("\n")
    nodes = [(min([node.lineno, *_lines(node)]) - 1, node.end_lineno or 0) for node in ast.parse(source).body]
    begins = {0, len(lines)}
    regions = list(regions_of(source).values())
    for region in regions:
        first, last = region.begin, region.end
        if region.indent:  # inside the last function or class that begins above it, which may have others
            first, end = max(node for node in nodes if node[0] <= region.begin)
            last = max([end - 1, *(each.end for each in regions if first <= each.begin < end)])
        while first and (not lines[first - 1].strip() or lines[first - 1].startswith("# ")):
            first -= 1  # with the comment above it
        begins |= {first, last + 1}
    places = sorted(begins)
    parts = ["\n".join(lines[first:last]).strip("\n") for first, last in itertools.pairwise(places)]
    return [part for part in parts if part.strip()]


def _lines(node: ast.stmt) -> list[int]:
    """Return the lines of what stands above a function or class and belongs to it."""
    return [each.lineno for each in getattr(node, "decorator_list", [])]


def cell(kind: str, text: str, **metadata: Any) -> dict[str, Any]:
    """Return a cell, as version 4.5 of the format has it.

    Args:
        kind: "code" or "markdown".
        text: what is in it.
        metadata: what else is known of it.
    """
    made = {"cell_type": kind, "metadata": metadata, "source": text}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def notebook(cells: Sequence[dict[str, Any]]) -> bytes:
    """Return cells as a notebook, with the same bytes for the same cells."""
    numbered = [{**each, "id": f"cell-{number:02d}"} for number, each in enumerate(cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    told = {
        "cells": numbered,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def cells_of(source: str, name: str) -> list[dict[str, Any]]:
    """Return the cells of a file, each with the name of the file."""
    return [cell("code", part, **{_TAG: name}) for part in split(source)]


def of(name: str) -> str:
    """Return the name of a file's notebook.

    >>> of("engine.py")
    'engine.ipynb'
    """
    return name.removesuffix(".py") + ".ipynb"


def code_of(content: bytes, name: str) -> str:
    """Return the file that a notebook was made from, as it is now; lines for the shell become comments.

    Args:
        content: the notebook.
        name: the name of the file; where no cell says that it is of it, all code is.

    Raises:
        InputError: it is too large, or no notebook; the message says what to do.
    """
    what = of(name)
    if len(content) > LARGEST:
        raise InputError(f"{what} is larger than {LARGEST:,} bytes; clear its outputs and save it again")
    try:
        cells = [each for each in json.loads(content)["cells"] if each["cell_type"] == "code"]
        texts = [("".join(each["source"]), each["metadata"].get(_TAG) == name) for each in cells]  # or lists of lines
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{what} is no notebook ({type(error).__name__}: {str(error)[:80]})") from error
    text = "\n\n\n".join(re.sub(r"^(?=[%!])", "# ", part.strip("\n"), flags=re.MULTILINE) for part in _own(texts))
    return f"{MADE}{what}, where you write: this file is written anew each time.\n{text}\n"


def _own(texts: list[tuple[str, bool]]) -> list[str]:
    """Return the texts of the cells of a file, given with whether they say that they are; of all, if none does.

    An editor that splits a cell may forget it of a part: one in which a region goes on, or with a mark that the others
    lack.
    """
    whole = lenient_regions("\n".join(text for text, said in texts if said))
    own, inside = [], False
    for text, said in texts:
        marks = [word for word, region in words_of(text) if said or region not in whole]
        if said or marks or inside:
            own.append(text)
        inside = marks[-1] == "BEGIN" if marks else inside
    return own if any(said for _, said in texts) else [text for text, _ in texts]
