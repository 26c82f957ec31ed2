"""What a client's capture tells of its attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.captured import read
from middlebox.packet import ACK, RST
from testbed.simulate.laboratory import SimulatedLab


@pytest.mark.parametrize(("policy", "resets"), [(None, []), ("gfw-like", [(RST, 1, 0), (RST | ACK, 1, 0)])])
def test_handshakes_resets_and_answers(tmp_path: Path, policy: str | None, resets: list[tuple[int, int, int]]) -> None:
    with SimulatedLab(policy, out=tmp_path, seed=1) as lab:
        lab.run(lab.browser.fetch("blocked.example", source=("10.0.0.9", "")))
        lab.clock.run_for(1)
    rtt = 2 * lab.topology.delay("client", "web")
    found = read(tmp_path / "client.pcap", {"10.0.0.9"})
    flow = found.flows["10.0.0.9"]
    assert flow.tcp_s == pytest.approx(rtt, abs=0.001)
    assert flow.tls_s == pytest.approx(rtt, abs=0.001)  # also behind resets: the server had got the hello
    assert sorted(set(flow.resets), key=str) == sorted(resets, key=str)
    assert found.answers == {"blocked.example": [(("NOERROR", 1),)]}


def test_several_answers_to_one_question_stand_together(tmp_path: Path) -> None:
    with SimulatedLab("dns-inject", out=tmp_path, seed=1) as lab:
        lab.run(lab.browser.fetch("blocked.example"))
        lab.clock.run_for(1)
    (answers,) = read(tmp_path / "client.pcap", set()).answers["blocked.example"]
    assert len(answers) > 1
    assert {code for code, _ in answers} == {"NOERROR"}
