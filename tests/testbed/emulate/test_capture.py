"""Captures, read back by scapy."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.utils import PcapReader

from testbed.lab import Lab

pytestmark = pytest.mark.lab


def test_a_capture_holds_every_packet_once_with_right_checksums(tmp_path: Path) -> None:
    with Lab(topology="small", out=tmp_path / "run") as lab:
        argv = ["curl", "-4", "-sS", "-o", "/dev/null", "http://innocent.example/object/1M"]
        assert lab.client.run(argv).status == 0
    with PcapReader(str(tmp_path / "run" / "client.pcap")) as reader:
        packets = list(reader)
    segments = [packet[TCP] for packet in packets if TCP in packet]
    received = {segment.seq: len(segment.payload) for segment in segments if segment.sport == 80}
    assert 1_000_000 < sum(received.values()) < 1_001_000
    assert max(len(packet) for packet in packets) <= 1514
    assert [packet for packet in packets if UDP in packet and packet[UDP].dport == 53]
    for packet in [packet for packet in packets if TCP in packet][:50]:
        again = IP(bytes(packet[IP]))
        del again[IP].chksum, again[TCP].chksum
        assert bytes(IP(bytes(again))) == bytes(packet[IP])
    times = [float(packet.time) for packet in packets]
    # stamped on two processors, packets may stand in the other order by some microseconds
    assert all(-0.001 < later - earlier < 60 for earlier, later in pairwise(times))
    for end in ("client", "server"):
        assert ", 0 lost" in (tmp_path / "run" / "logs" / f"capture-{end}.log").read_text()
    with PcapReader(str(tmp_path / "run" / "server.pcap")) as reader:
        at_server = {packet[TCP].seq for packet in reader if TCP in packet and packet[TCP].sport == 80}
    assert at_server >= set(received)
