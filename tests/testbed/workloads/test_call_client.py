"""The caller as a program of its own, on this machine alone: nobody answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import testbed.workloads

SCRIPT = Path(testbed.workloads.__file__).with_name("call_client.py")


def _call(limit_s: float, source: str) -> dict[str, Any]:
    words = [sys.executable, "-I", str(SCRIPT), "localhost", "4", "1", str(limit_s), source]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_where_nobody_listens_the_call_does_not_stand() -> None:
    report = _call(0.4, "127.0.0.1")
    assert (report["ended"], report["connect_s"], report["reason"]) == ("all", None, "Connection refused")
    assert 0.4 <= report["seconds"] < 2.0


def test_an_address_that_is_not_here_is_an_error() -> None:
    report = _call(2.0, "192.0.2.1")
    assert report["ended"] == "error"
    assert "assign requested address" in report["reason"]
