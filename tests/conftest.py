"""Settings of the whole test run: lab tests where a lab can be built, and no skipped test in continuous integration."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from testbed.checkup import NEEDED
from testbed.doctor import probe

# a shared machine stalls now and then: how long one example took says nothing about the code
settings.register_profile("penstock", deadline=None)
settings.load_profile("penstock")

#: reasons of the tests that were skipped, with where they are
_skipped: list[str] = []


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _no_lab() -> str:
    """Why lab tests cannot run here; "" if they can."""
    features = probe()
    for name in NEEDED:
        found = getattr(features, name)
        if not found:
            return f"no lab here: {name}: {found.detail} (./penstock doctor tells more)"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip lab tests, with the reason, where no lab can be built."""
    lab = [item for item in items if item.get_closest_marker("lab")]
    reason = _no_lab() if lab else ""
    if reason:
        for item in lab:
            item.add_marker(pytest.mark.skip(reason=reason))


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped.append(f"{report.nodeid}: {reason}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember a test that was skipped."""
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remember a module that was skipped as a whole."""
    _note(report)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """In continuous integration a skipped test is a failed one."""
    if _in_ci() and _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which skipped tests make the run fail."""
    if _in_ci() and _skipped:
        terminalreporter.section("skipped, which is a failure here (CI is set)", red=True)
        for line in _skipped:
            terminalreporter.write_line(line)
