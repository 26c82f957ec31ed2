"""One transfer by curl, directly or through a tool: so many bytes from a name over HTTPS, and where one came from.

The server's answer says whom it saw asking: what came past the tool is no success. It knows nothing of policies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed import failure
from testbed.result import Outcome
from testbed.timeline.values import Transfer
from testbed.tool import Via
from testbed.workload import Done, Host, Observation, no_result

#: codes of curl that are our mistake and not the network's (see testbed.workloads.web)
_OURS = frozenset({1, 2, 3, 4, 5, 23, 27, 41, 43, 48, 53, 54, 58, 59, 66, 77, 82})
#: the source address is gone: the tunnel is down, which for a person is a network that leads nowhere
_NO_SOURCE = 45
_GRACE_S = 5.0  #: beyond the client's own limit
OBJECT = "10M"  #: the lab's largest file; of which the transfer takes the first bytes
_PARTIAL = 206  #: HTTP's status of a part (RFC 9110, 15.3.7)
#: the header in which the lab's web server tells whom it sees
_FROM = re.compile(r"^x-from: (\S+)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What the client saw, and from which address the server saw it come."""

    seen: Observation
    exit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What has come of one request. Times in seconds from its beginning, None for what was never reached."""

    why: str  #: OONI's string; "" if all has come that was promised
    note: str
    status: int  #: HTTP's
    bytes: int
    exit: str  #: whom the server saw asking
    seconds: float
    first_byte_s: float | None
    connect_s: float | None
    tls_s: float | None


def fetch(
    host: Host, transfer: Transfer, *, address: str, limit_s: float, via: Via | None = None, source: str = ""
) -> Fetched:
    """Fetch once; `address`: the server's; `source`: the client's own address for a direct transfer.

    The name is not looked up, as by an application that has done so before: a resolver that waits for a lost answer
    would keep curl beyond its limit. A proxy looks it up itself.
    """
    words = ["curl", "-q", "--silent", "--show-error", "--ipv4", "--max-time", f"{limit_s:.3f}"]
    words += ["--proxy", via.proxy] if via and via.proxy else ["--noproxy", "*"]
    own = via.source if via else source
    if own:
        words += ["--interface", f"host!{own}"]  # an address, never the name of an interface
    words += ["--resolve", f"{transfer.host}:443:{address}"]
    words += ["--dump-header", "-", "--output", "/dev/null", "--range", f"0-{transfer.bytes - 1}"]
    words += ["--write-out", "\n%{json}", f"https://{transfer.host}/object/{OBJECT}"]
    done = host.run(words, timeout=limit_s + _GRACE_S)
    return _judge(done, transfer, limit_s, via.exit if via else "")


def _judge(done: Done, transfer: Transfer, limit_s: float, exit: str) -> Fetched:
    if done.timed_out:
        note = f"curl did not end {_GRACE_S:g} s after its own limit"
        seen = Observation(outcome=Outcome.BLOCKED, failure=failure.TIMEOUT, seconds=limit_s, note=note)
        return Fetched(seen=seen)
    heads, _, last = done.stdout.rpartition("\n")
    try:
        said: Mapping[str, Any] = json.loads(last)
        code, size = int(said["exitcode"]), int(said["size_download"])
    except (ValueError, KeyError, TypeError):
        return Fetched(seen=no_result(f"curl gave no report (exit status {done.status}): {done.stderr[-200:]}"))
    if code in _OURS:
        return Fetched(seen=no_result(f"curl ({code}) {said.get('errormsg') or ''}"))
    found = _FROM.findall(heads)
    why, note = "", ""
    if code:
        text = str(said.get("errormsg") or done.stderr[-200:])
        why = failure.from_curl(code, text)
        if code == _NO_SOURCE:
            why, text = failure.NETWORK_UNREACHABLE, "the tunnel is down"
        note = f"{text}; {size} bytes had come" if size else text
    return judged(
        transfer,
        Answer(
            why=why,
            note=note,
            status=int(said["http_code"]),
            bytes=size,
            exit=found[-1] if found else "",
            seconds=float(said["time_total"]),
            first_byte_s=float(said["time_starttransfer"]) or None,
            connect_s=float(said["time_connect"]) or None,
            tls_s=float(said["time_appconnect"]) or None,
        ),
        exit,
    )


def judged(transfer: Transfer, answer: Answer, exit: str) -> Fetched:
    """What an answer is worth; `exit`: where the request should have come out, "" for anywhere."""
    why, note = answer.why, answer.note
    if not why and answer.status != _PARTIAL:
        why, note = failure.HTTP_STATUS, f"status {answer.status}"
    elif not why and answer.bytes != transfer.bytes:
        why, note = failure.EOF, f"{answer.bytes} bytes of {transfer.bytes}"
    elif not why and exit and answer.exit != exit:
        why, note = failure.unknown("came past the tool"), f"from {answer.exit}, not {exit}"
    seen = Observation(
        outcome=Outcome.BLOCKED if why else Outcome.OK,
        failure=why,
        seconds=answer.seconds,
        time_to_first_byte=answer.first_byte_s,
        goodput=answer.bytes * 8 / answer.seconds if answer.seconds > 0 and not why else None,
        bytes=answer.bytes,
        connect_s=answer.connect_s,
        tls_s=answer.tls_s,
        note=note[:200],
    )
    return Fetched(seen=seen, exit=answer.exit)
