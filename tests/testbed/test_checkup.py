"""The report: it names what to do, and says that a lab can run only where it can."""

from __future__ import annotations

import dataclasses

import pytest

from testbed import checkup
from testbed.checkup import Line, report
from testbed.doctor import Features, Found

ALL = Features(**{field.name: Found(True) for field in dataclasses.fields(Features)})


def _last(monkeypatch: pytest.MonkeyPatch, features: Features) -> Line:
    monkeypatch.setattr(checkup, "probe", lambda: features)
    monkeypatch.setattr(checkup, "_programs", lambda: iter(()))
    monkeypatch.setattr(checkup, "_tools", lambda _features: iter(()))
    monkeypatch.setattr(checkup, "_libraries", lambda: iter(()))
    return list(report())[-1]


def test_every_feature_has_a_line_and_a_consequence() -> None:
    assert set(checkup._FOLLOWS) == {field.name for field in dataclasses.fields(Features)}
    for name, (_, _, bad) in checkup._FOLLOWS.items():
        assert bad or name == "congestion_default"


def test_a_machine_with_everything_can_run_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    last = _last(monkeypatch, ALL)
    assert last.found
    assert last.follows == "./penstock run sni-filtering"


def test_netem_is_a_comfort_and_not_a_need(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _last(monkeypatch, dataclasses.replace(ALL, netem=Found(False, "unknown"))).found


def test_forbidden_namespaces_are_what_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    features = dataclasses.replace(ALL, nfqueue=Found(False, "could not be tried"), namespaces=Found(False, "use sudo"))
    last = _last(monkeypatch, features)
    assert not last.found
    assert last.follows == "use sudo"


def test_a_kernel_without_netfilter_queues_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    last = _last(monkeypatch, dataclasses.replace(ALL, nfqueue=Found(False, "No such file or directory")))
    assert not last.found
    assert last.follows.startswith("this kernel lacks NFQUEUE by iptables")


def test_a_missing_program_leads_to_setup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "probe", lambda: ALL)
    monkeypatch.setattr(checkup, "_libraries", lambda: iter(()))
    monkeypatch.setattr(checkup, "_PROGRAMS", {"no-such-program": ("--version", "")})
    lines = list(report())
    assert [line.found for line in lines if line.name == "no-such-program"] == [False]
    assert (lines[-1].name, lines[-1].detail) == ("a lab", "cannot run here yet, for want of")
    assert lines[-1].follows.startswith("no-such-program; './penstock run' installs what is missing by itself")


def test_a_version_is_the_first_number_that_a_program_says_of_itself() -> None:
    assert checkup._version(["sh", "-c", "echo dnsmasq: v2.90, built 2023 >&2; exit 1"]) == "2.90"
    assert checkup._version(["true"]) == ""
    assert checkup._version(["/nonexistent/tool"]).startswith("does not start")
