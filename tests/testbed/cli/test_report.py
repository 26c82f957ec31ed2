"""`penstock report`: the page again, from what lies in a run folder."""

from pathlib import Path

import pytest

from testbed.cli import main
from tests.testbed.written import GOOD, run_of


def test_the_report_is_made_again_and_named_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_of(tmp_path, GOOD)
    assert main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {tmp_path}/report.html"
    first = (tmp_path / "report.html").read_bytes()
    assert main(["report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_bytes() == first


def test_what_is_no_run_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "is no run folder: there is no manifest.json in it" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    (tmp_path / "manifest.json").write_text("{}")
    assert main(["report", str(tmp_path)]) == 2
    assert "not a manifest of a run" in capsys.readouterr().err
