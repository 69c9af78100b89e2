"""How the tests run: few hypothesis examples by default (HYPOTHESIS_PROFILE=many searches), one BLAS thread."""

import os

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

settings.register_profile(
    "few",
    max_examples=12,
    deadline=None,
    derandomize=True,  # the same examples in every run: a failure here is a failure everywhere
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("many", settings.get_profile("few"), max_examples=300, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    """Small products are slower on many threads, and CI machines have few cores."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield
