"""Which of several workers a packet belongs to: a hash of its two addresses, the same whichever of them is first.

A program of classic BPF, for iptables' match `bpf` (xt_bpf), and the same in Python. It looks at the IP header alone,
so fragments go where their first one goes, and no connection tracking is needed. Not NFQUEUE's `--queue-balance`: its
hash takes the protocol in (xt_NFQUEUE.c), which would tear one pair's TCP and UDP apart.
"""

from __future__ import annotations

from typing import NamedTuple

#: more workers than any machine has cores that one box would use; each has two queues
MAX_WORKERS = 32

# linux/bpf_common.h
_LOAD, _LOAD_CONSTANT, _TO_X, _RETURN = 0x20, 0x00, 0x07, 0x06
_XOR_X, _MULTIPLY, _SHIFT_RIGHT, _EQUAL = 0xAC, 0x24, 0x74, 0x15

#: Knuth's multiplicative hashing (TAOCP 3, 6.4): 2^32 over the golden ratio spreads neighbouring addresses evenly
_GOLDEN = 0x9E37_79B1
#: where the words of both addresses stand in an IP header
_WORDS = {4: (12, 16), 6: (8, 12, 16, 20, 24, 28, 32, 36)}


class Step(NamedTuple):
    """One instruction of classic BPF (struct sock_filter)."""

    code: int
    if_true: int
    if_false: int
    value: int


def program(version: int, worker: int, workers: int, label: int) -> list[Step]:
    """Whether a packet of this IP version belongs to a worker; `label`, which does nothing, tells whose program it is.

    On packets without a whole IP header it answers no.
    """
    steps = [Step(_LOAD_CONSTANT, 0, 0, label)]
    for place, at in enumerate(_WORDS[version]):
        steps.append(Step(_LOAD, 0, 0, at))
        if place:
            steps.append(Step(_XOR_X, 0, 0, 0))
        steps.append(Step(_TO_X, 0, 0, 0))
    return [
        *steps,
        Step(_MULTIPLY, 0, 0, _GOLDEN),
        Step(_SHIFT_RIGHT, 0, 0, 16),
        Step(_MULTIPLY, 0, 0, workers),
        Step(_SHIFT_RIGHT, 0, 0, 16),
        Step(_EQUAL, 0, 1, worker),
        Step(_RETURN, 0, 0, 0xFFFF),
        Step(_RETURN, 0, 0, 0),
    ]


def bytecode(steps: list[Step]) -> str:
    """A program in the words of iptables' `--bytecode`."""
    return ",".join([str(len(steps)), *(" ".join(map(str, step)) for step in steps)])


def label_of(code: str) -> int | None:
    """The label of a program that `bytecode` has written; None if it is not one of ours."""
    first = code.split(",")[1:2]
    words = first[0].split() if first else []
    if len(words) != 4 or words[:3] != ["0", "0", "0"] or not words[3].isdigit():
        return None
    return int(words[3])


def worker_of(packet: bytes, workers: int) -> int:
    """The worker that a packet belongs to, given from its IP header on."""
    mixed = 0
    for at in _WORDS[packet[0] >> 4]:
        mixed ^= int.from_bytes(packet[at : at + 4], "big")
    return ((mixed * _GOLDEN & 0xFFFF_FFFF) >> 16) * workers >> 16
