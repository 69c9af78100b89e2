"""One browser for all tests that need one; they are skipped where none is installed."""

import pytest

from tests.viz import browser
from tests.viz.stepper import Opened, measured
from tinygrad_rnn.viz import plots
from tinygrad_rnn.viz.page import write_page


@pytest.fixture(scope="session")
def chromium():
    if reason := browser.missing():
        pytest.skip(f"no browser to test the page in: {reason}")
    with browser.launched() as running:
        yield running


@pytest.fixture
def show(chromium, tmp_path):
    """Open pages; in the end there must have been no error, no message and no request."""
    said, contexts = [], []

    def open_(
        panels, size=(1300, 950), title=None, level=None, window=None, inputs=None, maps=None, style=None, **options
    ):
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        contexts.append(context)
        path = tmp_path / f"page{len(contexts)}.html"
        write_page(path, panels, title=title, level=level, window=window, inputs=inputs, maps=maps, style=style)
        tab = context.new_page()
        tab.set_default_timeout(10_000)
        tab.on("console", lambda message: said.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: said.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        tab.on("request", lambda request: request.url == path.as_uri() or said.append(f"request: {request.url}"))
        tab.goto(path.as_uri())
        return Opened(tab, path.read_text(encoding="utf-8"))

    yield open_
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def words_only(monkeypatch):
    """Plots of a sheet are drawn, but not rendered: that takes most of the time, and no word of the page needs it."""
    monkeypatch.setattr(plots, "rendered", lambda figure, formats: dict.fromkeys(formats, b"<svg/>"))


@pytest.fixture(scope="session")
def reports():
    return {kind: measured(kind) for kind in ("RNN", "LSTM", "GRU")}


@pytest.fixture(scope="session")
def lstm(reports):
    return reports["LSTM"]
