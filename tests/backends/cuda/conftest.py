"""What tests of the CUDA backend share."""

import pytest

from tests.backends.cuda.stub import build


@pytest.fixture(scope="session")
def stub_driver(tmp_path_factory):
    """A folder with a stand-in for NVIDIA's driver library, for tests marked `@on_stub()`."""
    return build(tmp_path_factory.mktemp("driver"))
