"""What an attempt in virtual time is told."""

from __future__ import annotations

import pytest

from testbed.simulate.laboratory import SimulatedLab
from testbed.virtual.asking import Ask, rounded
from tests.testbed.virtual.made import QUICK


@pytest.mark.parametrize(
    ("source", "both"), [("10.0.0.9", ("10.0.0.9", "")), ("2001:db8:1:1::9", ("", "2001:db8:1:1::9"))]
)
def test_an_address_is_used_for_its_own_family(source: str, both: tuple[str, str]) -> None:
    target = QUICK.target("blocked")
    ask = Ask(lab=SimulatedLab(), subscriber="client", target=target, limit_s=3, source=source, truth={})
    assert ask.sources == both


def test_times_are_told_to_the_microsecond() -> None:
    assert rounded(0.0760100004) == 0.07601
    assert rounded(None) is None
