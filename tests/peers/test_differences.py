"""The list of differences names only what is compared: a misspelt entry would be checked by nobody."""

import pytest

from tests.peers import differences, test_torch_modules, test_torch_ops

pytestmark = pytest.mark.peers


def test_every_entry_of_the_list_is_compared() -> None:
    compared = {*test_torch_ops.ENTRIES, *test_torch_modules.ENTRIES}
    for difference in [*differences.RESULTS, *differences.ERRORS]:
        assert set(difference.entries.split()) <= compared, difference
