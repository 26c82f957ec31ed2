"""A name's addresses, by dig: an answer that is not one of the lab's true addresses is forged, so `blocked`.

It asks the resolver of the lab's `resolv.conf` over UDP, once, and reads the first answer, as a stub resolver does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from testbed import failure
from testbed.result import Outcome
from testbed.workload import Ask, Done, Observation, Target, no_result

_STATUS = re.compile(r"^;; ->>HEADER<<-.*status: ([A-Z0-9]+)", re.MULTILINE)
_RECORD = re.compile(r"^[^;\s]\S*\s+\d+\s+IN\s+(A|AAAA)\s+(\S+)\s*$", re.MULTILINE)
_TIME = re.compile(r"^;; Query time: (\d+) usec", re.MULTILINE)
_SIZE = re.compile(r"^;; MSG SIZE\s+rcvd: (\d+)", re.MULTILINE)

_NO_REPLY = 9  #: dig's exit status
_GRACE_S = 5.0


class Dns:
    """`dig NAME A` or `AAAA`."""

    name = "dns"
    about = "the addresses of a name, by dig"
    protocol = "dns"
    says_name = True
    heavy = False
    fills = False

    def size(self, target: Target) -> int:
        return 0

    def measure(self, ask: Ask) -> Observation:
        if ask.proxy:
            return no_result("a proxy looks names up itself; there is nothing to ask a resolver for")
        done = _dig(ask)
        if done.timed_out:
            return no_result(f"dig did not end {_GRACE_S:g} s after its own limit")
        if done.status not in (0, _NO_REPLY):
            return no_result(f"dig ended with {done.status}: {done.stderr[-200:] or done.stdout[-200:]}")
        why, note = _judge(ask, done)
        micros = _TIME.search(done.stdout)
        seconds = int(micros[1]) / 1e6 if micros else done.seconds
        size = _SIZE.search(done.stdout)
        return Observation(
            outcome=Outcome.BLOCKED if why else Outcome.OK,
            failure=why,
            seconds=seconds,
            time_to_first_byte=seconds if micros else None,
            bytes=int(size[1]) if size else None,
            note=note,
        )


def look_up(ask: Ask) -> tuple[str, str]:
    """The failure of one query for the target's name ("" if it was answered truly), and a note for people."""
    done = _dig(ask)
    if done.timed_out or done.status not in (0, _NO_REPLY):
        return failure.DNS_MISBEHAVING, f"dig ended with {done.status}"
    return _judge(ask, done)


def addresses(output: str) -> list[str]:
    """The A and AAAA records that dig printed."""
    return [text for _, text in _RECORD.findall(output)]


def _dig(ask: Ask) -> Done:
    words = ["dig", "-u", "+tries=1", "+nocookie", f"+time={max(1, round(ask.limit_s))}", "-r"]
    if ask.bind and ":" not in ask.bind:  # the resolver is asked over IPv4, also for AAAA
        words += ["-b", ask.bind]
    words += [ask.target.host, "AAAA" if ask.target.family == 6 else "A"]
    return ask.host.run(words, timeout=ask.limit_s + _GRACE_S)


def _judge(ask: Ask, done: Done) -> tuple[str, str]:
    status = _STATUS.search(done.stdout)
    if status is None:
        text = done.stdout + done.stderr
        if "connection refused" in text.lower():
            return failure.REFUSED, ""
        return failure.from_text(text) or failure.unknown(text), ""
    named = failure.from_dns(status[1])
    if named:
        return named, ""
    found = addresses(done.stdout)
    if not found:
        return failure.DNS_NO_ANSWER, ""
    return forged(ask.target.host, found, ask.truth)


def forged(host: str, found: Sequence[str], truth: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """The failure that an answer is which is not the host's true address ("" for a true one), and a note for people."""
    true = truth.get(host, ())
    false = [one for one in found if one not in true]
    if not false:
        return "", ""
    note = f"answered {', '.join(false)}, which is not the host's address"
    # the lab's own servers have addresses that are bogons outside of it
    others = {one for every in truth.values() for one in every}
    bogus = all(failure.is_bogon(one) and one not in others for one in false)
    return (failure.DNS_BOGON if bogus else failure.unknown("forged DNS answer")), note
