"""Each kind of scenario has its reading."""

import pytest

from testbed.reading import READINGS, reading
from testbed.scenario import Kind


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_all_parts_of_a_reading(kind: Kind) -> None:
    found = reading({"scenario": {"kind": kind.value}})
    for name in ("checks", "summary", "drawings", "sections", "method"):
        assert callable(getattr(found, name))


def test_every_kind_is_there_and_runs_without_a_kind_are_of_the_first() -> None:
    assert set(READINGS) == set(Kind)
    assert reading({"scenario": {}}) is reading({"scenario": {"kind": "access"}})
