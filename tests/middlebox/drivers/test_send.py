"""Forged packets as they arrive at the other end of a wire: byte for byte those that were sent."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from tests.middlebox.drivers.three_nodes import ThreeNodes

#: prints a line when it listens, then, as hex, as many TCP packets from a port with one of some flags as asked for
SNIFF = """
import json, socket, sys
heard = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
heard.settimeout(5)
print("ready", flush=True)
count, port, flags = map(int, sys.argv[1:])
seen = []
while len(seen) < count:
    packet, (_, _, kind, *_) = heard.recvfrom(65535)
    tcp = packet[20:] if packet[0] >> 4 == 4 else packet[40:]
    if kind != socket.PACKET_OUTGOING and int.from_bytes(tcp[:2], "big") == port and tcp[13] & flags:
        seen.append(packet.hex())
print(json.dumps(seen))
"""


def sniff(nodes: ThreeNodes, count: int, *, port: int, flags: int) -> subprocess.Popen[str]:
    """Start to listen at the client."""
    words = [sys.executable, "-c", SNIFF, str(count), str(port), str(flags)]
    sniffer = nodes.start("client", words)
    assert sniffer.stdout is not None
    assert sniffer.stdout.readline() == "ready\n"
    return sniffer


_SEND = """
import json, sys
from middlebox.drivers.attach import Rules
from middlebox.drivers.send import Sender
from middlebox.drivers.unnumbered import MARK
rules = Rules(0, fail_open=True, mark=MARK)
rules.add()
sender = Sender(1)
sent = [sender.send(bytes.fromhex(packet)) for packet in sys.argv[1:]]
sender.close()
rules.remove()
print(json.dumps({"sent": sent, "counted": sender.sent, "failed": sender.failed, "reasons": sender.reasons}))
"""

_TCP = TCP(sport=443, dport=40000, flags="RA", seq=1000, ack=2000, window=77)


def _packets() -> list[bytes]:
    """From the server to the client, as injectors make them up."""
    made = [
        IP(src="203.0.113.5", dst="10.0.0.1", id=4242, ttl=55, flags=0) / _TCP,
        IP(src="203.0.113.5", dst="10.0.0.1", id=0, ttl=1, flags="DF") / _TCP,
        IP(src="203.0.113.5", dst="10.0.0.1", id=0, ttl=255, flags=0, tos=0x20) / _TCP / b"payload",
        IP(src="203.0.113.5", dst="10.0.0.1", id=65535, ttl=64, flags=0) / _TCP,
        IPv6(src="2001:db8:2::5", dst="2001:db8:1::1", hlim=7, tc=3, fl=0x12345) / _TCP,
    ]
    return [bytes(packet) for packet in made]


@pytest.mark.lab
def test_packets_arrive_as_they_were_made_and_in_their_order(nodes: ThreeNodes) -> None:
    packets = _packets()
    sniffer = sniff(nodes, len(packets), port=443, flags=0x04)
    told = nodes.python("box", _SEND, *(packet.hex() for packet in packets))
    assert told == {"sent": [True] * 5, "counted": 5, "failed": 0, "reasons": {}}
    out, _ = nodes.finish(sniffer)
    assert [bytes.fromhex(packet) for packet in json.loads(out)] == packets


@pytest.mark.lab
def test_what_cannot_be_sent_is_counted_with_its_reason(nodes: ThreeNodes) -> None:
    unreachable = bytes(IP(src="203.0.113.5", dst="198.51.100.1", id=1) / _TCP)
    unreachable_unnumbered = bytes(IP(src="203.0.113.5", dst="198.51.100.1", id=0, flags=0) / _TCP)
    packets = [unreachable, unreachable_unnumbered, b"\x45", b"", *_packets()[2:3]]
    told = nodes.python("box", _SEND, *(packet.hex() for packet in packets))
    assert told["sent"] == [False, False, False, False, True]
    assert told["counted"] == 1
    assert told["failed"] == 4
    assert told["reasons"] == {"ENETUNREACH": 2, "not an IP packet": 2}
