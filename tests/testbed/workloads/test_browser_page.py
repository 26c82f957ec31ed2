"""The program that fetches with a browser's hello, run as the lab runs it."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
from pathlib import Path

import testbed.workloads

PROGRAM = Path(testbed.workloads.__file__).parent / "browser_page.py"


def test_a_refused_connection_is_reported_like_curl_reports_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), f"https://127.0.0.1:{port}/", "chrome120", "4", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, report["exitcode"], report["http_code"]) == (7, 7, 0)
    assert report["time_total"] < 5


def test_it_imports_nothing_of_this_project() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert not {name for name in names if name.split(".")[0] in ("middlebox", "testbed", "scenarios")}
