"""The client for HTTP/3 as a program of its own, on this machine alone: nobody answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import testbed.workloads

SCRIPT = Path(testbed.workloads.__file__).with_name("h3_client.py")


def test_without_an_answer_its_limit_ends_it() -> None:
    words = [sys.executable, "-I", str(SCRIPT), "localhost", "/", "4", "0.4", "127.0.0.1"]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)
    report = json.loads(done.stdout)
    assert report["ended"] == "time"
    assert 0.4 <= report["seconds"] < 2.0
    assert "connect_s" not in report


def test_an_address_that_is_not_here_is_an_error() -> None:
    words = [sys.executable, "-I", str(SCRIPT), "localhost", "/", "4", "2", "192.0.2.1"]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)
    report = json.loads(done.stdout)
    assert report["ended"] == "error"
    assert "assign requested address" in report["reason"]
