"""One browser for all tests that need one; they are skipped where none is installed."""

import pytest

from tests.viz import browser


@pytest.fixture(scope="session")
def chromium():
    if reason := browser.missing():
        pytest.skip(f"no browser to test the page in: {reason}")
    with browser.launched() as running:
        yield running
