"""The lab's sites over HTTP/3 are those that they are over HTTPS."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import testbed.workloads
from testbed.lab import Lab
from testbed.workloads.web_h3 import WebH3

SCRIPT = Path(testbed.workloads.__file__).with_name("h3_client.py")


@pytest.mark.lab
def test_pages_are_those_of_https(transfer_lab: Lab) -> None:
    with WebH3().serve(transfer_lab.host("web")):
        for path in ("/", "/page", "/object/10k", "/where", "/nothing", "/object/../site.key"):
            words = [sys.executable, "-I", str(SCRIPT), "innocent.example", path, "4", "5", "10.0.0.7"]
            report = json.loads(transfer_lab.client.run(words, timeout=10).stdout)
            address = ["--interface", "host!10.0.0.7"]
            curl = ["curl", "-q", "--silent", "--path-as-is", *address, f"https://innocent.example{path}"]
            page = transfer_lab.client.run([*curl, "--write-out", "%{http_code}"], timeout=10).stdout
            assert report["ended"] == "all", path
            if report["status"] == 200:
                assert f"{report['body']}200" == page, path
            else:
                assert (report["status"], page[-3:] in ("400", "404")) == (404, True), path
