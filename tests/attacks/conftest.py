"""A bench for the tests of each file: what one of them trained, the others find."""

import pytest

from nasaudit.testing.bench import Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))
