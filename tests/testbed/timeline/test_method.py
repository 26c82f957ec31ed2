"""What a report says beside its findings."""

from __future__ import annotations

from pathlib import Path

from testbed.timeline import method
from tests.testbed.timeline.pretended import POLICY
from tests.testbed.timeline.written import whole


def test_each_policy_is_shown_with_the_sources_of_its_numbers(tmp_path: Path) -> None:
    _, made = whole(tmp_path)
    text = method.policies(made)
    assert f"<h3>{POLICY}</h3>" in text
    assert "how well known" in text
    assert "name: sni-drop  # &lt;&amp;&gt;" in text


def test_a_policy_of_the_users_own_has_no_sources_and_no_error(tmp_path: Path) -> None:
    _, made = whole(tmp_path)
    made["policies"][0]["name"] = "not-there"
    assert "how well known" not in method.policies(made)


def test_the_method_names_transfers_tools_and_limits(tmp_path: Path) -> None:
    _, made = whole(tmp_path)
    text = method.method(made)
    assert "200000 bytes from media.example, given up after 0.25 s" in text
    assert "a VPN that is not there, by words" in text
    assert "./penstock run pretended-time" in method.again(made)


def test_where_nothing_is_said_of_limits_there_is_no_such_section(tmp_path: Path) -> None:
    _, made = whole(tmp_path)
    assert "It says nothing." in method.cannot(made)
    made["scenario"]["limits"] = []
    assert method.cannot(made) == ""


def test_a_timeline_in_virtual_time_says_so(tmp_path: Path) -> None:
    _, made = whole(tmp_path)
    virtual = made | {"backend": "simulate"}
    assert "in virtual time" in method.method(virtual)
    assert "is left out of every number" in method.method(made)
    assert "is left out of every number" not in method.method(virtual)
    assert "byte for byte" in method.again(virtual)
    assert "byte for byte" not in method.again(made)
