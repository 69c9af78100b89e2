"""The site: code of its pages runs, docstrings read as they are meant, links lead somewhere, nothing is fetched."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tinygrad_rnn.tutorial import all_lessons

ROOT = Path(__file__).parents[2]
SITE = ROOT / "tutorials" / "site"
WITH_CODE = [path for path in sorted(SITE.rglob("*.md")) if "```python" in path.read_text(encoding="utf-8")]


def test_formulas_of_tutorials_can_be_drawn():
    latex = pytest.importorskip("docutils.utils.math.latex2mathml")
    lessons = [lesson for language in ("en", "zh") for lesson in all_lessons(language)]
    prose = [cell.source for lesson in lessons for cell in lesson.cells if not cell.is_code]
    found = [a or b for text in prose for a, b in re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$", text, re.DOTALL)]
    assert len(found) > 100
    for formula in found:
        assert latex.tex2mathml(formula).startswith("<math")


def as_markup(text):
    spec = importlib.util.spec_from_file_location("docstrings", SITE / "docstrings.py")
    docstrings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docstrings)
    return "\n".join(docstrings.as_markup(text.splitlines())).strip()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Clip in place, as clip_ does *args.", r"Clip in place, as clip\_ does \*args."),
        ("See `Cell`, and ``step``.", "See ``Cell``, and ``step``."),
        ("A list of `assign_`s.", r"A list of ``assign_``\ s."),
        ("It is `a\nb`.", "It is ``a\nb``."),
        ("One ` alone.", "One ' alone."),
        ("h' = o * c\nc' = f", "::\n\n    h' = o * c\n    c' = f"),
        ("There is\n- one\n- two", "There is\n\n- one\n- two"),
        ("    size: P,\n        below H.", "- size: P,\n  below H."),
        ("Raises:\n    InputError: no x_.", "Raises:\n    InputError: no x\\_."),
        (">>> 2 * `x_\n8", ">>> 2 * `x_\n8"),
    ],
)
def test_a_docstring_is_shown_as_it_is_read_in_the_source(written, shown):
    assert as_markup(written) == shown


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_code_of_a_page_runs(page, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "page.py").write_text("\n".join(blocks), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    command = [sys.executable, "page.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.places, self.formulas = [], [], {""}, 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.places |= {known[name] for name in ("id", "name") if known.get(name)}
        self.formulas += tag == "math"
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        elif tag == "link" and "href" in known:
            self.loaded.append(known["href"])
        elif "src" in known:
            self.loaded.append(known["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site with the first tutorial."""
    for package in ("sphinx", "myst_nb", "furo", "nbclient", "ipykernel"):
        pytest.importorskip(package)
    out = tmp_path_factory.mktemp("site") / "docs"
    command = [sys.executable, str(SITE / "build.py"), str(out), "--only", "01"]
    done = subprocess.run(
        command,
        env=os.environ | {"TINYGRAD_RNN_FAST": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.slow
def test_every_link_leads_somewhere_and_nothing_is_fetched(site):
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 30
    wrong = []
    for path, page in pages.items():
        wrong += [f"{path.name} loads {each}" for each in page.loaded if urlsplit(each).netloc]
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                wrong.append(f"{path.name} links to {link}, which is not there")
            elif target in pages and unquote(parts.fragment) not in pages[target].places:
                wrong.append(f"{path.name} links to a place {link} that is not on the page")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_a_tutorial_has_its_outputs_formulas_and_folds_in_each_language(site):
    for folder, fold in (("tutorials", "The solution"), ("zh", "参考解答")):
        path = site / folder / "01_a_slope_for_every_number.html"
        text, page = path.read_text(encoding="utf-8"), Page(path)
        assert page.formulas > 10
        assert text.count("<img") >= 1
        assert fold in text
        assert "minus the slope" in text
    assert '<html class="no-js" lang="zh"' in text
    stepper = site / "pages" / "stepper.html"
    assert "../pages/stepper.html" in Page(site / "gallery" / "graph.html").loaded
    assert stepper.stat().st_size > 10_000
