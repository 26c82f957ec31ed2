"""The program that changes what a host sends: started and ended from outside, refused where it must not run."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from testbed.changing import Changing, change, main
from testbed.lab import Lab
from testbed.tool import ToolError


class _Packet:
    def __init__(self, raw: bytes) -> None:
        self.raw, self.fate = raw, ""

    def get_payload(self) -> bytes:
        return self.raw

    def accept(self) -> None:
        self.fate = "accepted"

    def drop(self) -> None:
        self.fate = "dropped"


class _Sent:
    def __init__(self) -> None:
        self.raw: list[bytes] = []

    def send(self, raw: bytes) -> None:
        self.raw.append(raw)


def test_what_is_not_changed_goes_on_and_what_is_leaves_anew() -> None:
    same, cut, sent = _Packet(b"same"), _Packet(b"cut"), _Sent()
    any_sent: Any = sent
    change(same, lambda raw: [raw], any_sent)  # type: ignore[arg-type]  # as far as it is one
    change(cut, lambda raw: [raw[2:], raw[:2]], any_sent)  # type: ignore[arg-type]
    assert (same.fate, cut.fate, sent.raw) == ("accepted", "dropped", [b"t", b"cu"])


def test_it_never_runs_where_live_traffic_could_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("testbed.changing.refusal", lambda: "refusing to attach")
    assert main(["split"]) == 2
    assert "refusing to attach" in capsys.readouterr().err
    assert main(["shout"]) == 2
    assert "there are: split, disorder, fake" in capsys.readouterr().err


class _Command:
    error = ""

    def __init__(self, stdout: int) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", "print('no such queue')"], stdout=stdout)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float | None = None) -> int:
        return self._process.wait(timeout)

    def close(self) -> None:
        self._process.kill()


class _Here:
    """A host that is this machine, on which the program must not start."""

    def start(self, argv: list[str], *, env: dict[str, str], stdout: int, stderr: int) -> _Command:
        return _Command(stdout)


def test_what_does_not_start_says_why() -> None:
    here: Any = _Here()
    with pytest.raises(ToolError, match="split did not start: no such queue"):
        Changing(here, "split")


@pytest.mark.lab
def test_in_a_lab_a_cut_hello_gets_past_a_box_that_reads_segments_alone() -> None:
    ask = ["curl", "-sS", "-4", "--max-time", "5", "https://blocked.example/"]
    with Lab("tspu-2022", "small") as lab:
        assert lab.client.run(ask).status == 35
        with Changing(lab.client, "disorder"):
            done = lab.client.run(ask)
            assert (done.status, done.stdout) == (0, "This is blocked.example at 203.0.113.10.\n"), done.stderr
        assert "NFQUEUE" not in lab.client.run(["iptables", "-t", "mangle", "-S"]).stdout
        assert lab.client.run(ask).status == 35
