"""The reading of a run that asks who gets through."""

from pathlib import Path

from testbed import access
from tests.testbed.written import GOOD, run_of


def test_it_checks_tells_and_draws_a_run(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, GOOD)
    assert all(check.held for check in access.checks(tmp_path))
    assert access.summary(tmp_path).startswith("blocked of tried")
    drawn = access.drawings(tmp_path)
    assert set(drawn) == {"shares", "times"}
    whole = "".join(access.sections(tmp_path, drawn))
    for title in ("In short", "Who was blocked", "What was found", "Figures", "What the boxes did"):
        assert f"<h2>{title}</h2>" in whole
    assert "page of the asked host" in access.method(manifest)
