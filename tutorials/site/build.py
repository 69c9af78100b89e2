"""Build the site: `python tutorials/site/build.py build/docs`. Needs the extra `docs`; who reads it needs no network.

Pages are written from the tutorials, the tables and the docstrings into a folder beside the site, together with those
that lie here, and Sphinx makes HTML of them. Tutorials are run. What they print is kept for the next time, until their
code or the package changes.
"""

import argparse
import hashlib
import os
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import pages

import tinygrad_rnn


def digest(folder: Path, seed: str = "") -> str:
    """Return what changes when the code in a folder does."""
    found = hashlib.sha256(seed.encode())
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".js", ".css", ".html")):
        found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]


def kept_in(folder: Path) -> Path:
    """Return where to keep what was computed; what an earlier state of the package left there is removed."""
    kept = folder / digest(Path(tinygrad_rnn.__file__).parent, os.environ.get("TINYGRAD_RNN_FAST", ""))
    for old in folder.glob("*") if folder.is_dir() else ():
        if old != kept:
            shutil.rmtree(old)
    return kept


def main() -> int:
    """Build; return 0, or what Sphinx returns after warnings."""
    parser = argparse.ArgumentParser(description="Build the site.")
    parser.add_argument("out", type=Path, help="folder of the site; beside it, OUT-source and OUT-kept are made")
    parser.add_argument("--only", metavar="NN,NN", help="tutorials, by their number (default: all)")
    options = parser.parse_args()
    out = options.out.resolve()
    source, kept = (out.with_name(f"{out.name}-{what}") for what in ("source", "kept"))
    kept = kept_in(kept)
    fast = bool(os.environ.get("TINYGRAD_RNN_FAST"))
    pages.write_all(source, HERE, kept, options.only.split(",") if options.only else None, fast)
    doctrees = kept / f"doctrees-{digest(HERE)}"
    strict = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    settings = ["-b", "html", "-c", str(HERE), "-d", str(doctrees), "-D", f"html_extra_path={source / 'extra'}"]
    done = sphinx([*strict, *settings, str(source), str(out)])
    if done:
        shutil.rmtree(doctrees, ignore_errors=True)  # a page that was read once would not warn again
    else:
        print(f"written: {options.out / 'index.html'}")
    return done


if __name__ == "__main__":
    sys.exit(main())
