"""A page over HTTPS: by curl, by curl without SNI, and by a browser's ClientHello.

The page must be the lab's page of the asked host; anything else that comes back (a block page, another server's
certificate) is `blocked`. It follows no redirect and fetches nothing but the page.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed import failure
from testbed.pages import wrong_page
from testbed.result import Outcome
from testbed.workload import Ask, Done, Observation, Target, no_result
from testbed.workloads.dns import look_up

#: codes of curl that are our mistake and not the network's: bad URL, no such source address, out of memory, ...
_OURS = frozenset({1, 2, 3, 4, 5, 23, 27, 41, 43, 45, 48, 53, 54, 58, 59, 66, 77, 82})

#: what curl_cffi imitates: a fixed version, so that runs repeat; this one's hello is 1.7 kB for its ML-KEM key share
BROWSER = "chrome131"

_GRACE_S = 20.0  #: beyond the limit of the client itself; then it hangs, or the machine does: that is no result

_CONNECT_FAILED = re.compile(r"connect to .* failed: (.+)")  # the cause stands only in the verbose log
#: a line of the verbose log with its time of day, as curl's --trace-time writes it
_LOGGED = re.compile(r"^(\d\d):(\d\d):(\d\d\.\d+) \* (.*)$", re.MULTILINE)
#: how the log's lines begin of which the first says that TCP is connected: newer versions go on with TLS at once
_CONNECTED = ("Connected to ", "Established connection to ", "Cipher selection: ", "ALPN: ")


class Web:
    """`curl https://HOST/`."""

    name = "web"
    about = "a page over HTTPS, by curl"
    protocol = "https"
    says_name = True
    heavy = False
    fills = False

    def size(self, target: Target) -> int:
        return 0

    def measure(self, ask: Ask) -> Observation:
        return _through(ask, _judge(ask, _run(ask, _curl(ask, f"https://{ask.target.host}/"))))


class WebWithoutSni:
    """`curl https://ADDRESS/` with the host named only inside TLS.

    The server shows the certificate that it has for its address, and the page of the host that is named inside.
    """

    name = "web-nosni"
    about = "a page over HTTPS by address, without SNI, by curl"
    protocol = "https"
    says_name = False
    heavy = False
    fills = False

    def size(self, target: Target) -> int:
        return 0

    def measure(self, ask: Ask) -> Observation:
        try:
            address = ask.address()
        except ValueError as error:
            return no_result(str(error))
        url = f"https://[{address}]/" if ":" in address else f"https://{address}/"
        return _through(ask, _judge(ask, _run(ask, _curl(ask, url, "--header", f"Host: {ask.target.host}"))))


class Browser:
    """The page as Chrome would ask for it: its ClientHello carries a post-quantum key and spans two segments."""

    name = "web-chrome"
    about = "a page over HTTPS with Chrome's ClientHello, by curl_cffi"
    protocol = "https"
    says_name = True
    heavy = True
    fills = False

    def size(self, target: Target) -> int:
        return 0

    def measure(self, ask: Ask) -> Observation:
        script = Path(__file__).with_name("browser_page.py")
        words = [sys.executable, "-I", str(script), f"https://{ask.target.host}/", BROWSER]
        words += [str(ask.target.family), str(ask.limit_s), ask.bind, ask.proxy]
        return _through(ask, _judge(ask, _run(ask, words)))


def _curl(ask: Ask, url: str, *further: str) -> list[str]:
    words = ["curl", "-q", "--silent", "--show-error", "--verbose", "--trace-time"]
    words += ["--proxy", ask.proxy] if ask.proxy else ["--noproxy", "*"]
    words += ["--connect-timeout", str(ask.limit_s), "--max-time", str(ask.limit_s), f"--ipv{ask.target.family}"]
    if ask.bind:
        words += ["--interface", f"host!{ask.bind}"]  # an address, never the name of an interface
    return [*words, "--write-out", "\n%{json}", *further, url]


def _run(ask: Ask, words: list[str]) -> Done:
    return ask.host.run(words, timeout=ask.limit_s + _GRACE_S)


def _through(ask: Ask, seen: Observation) -> Observation:
    """Through a tool, ask the server where that comes out: a page that came past the tool is no result."""
    if ask.via is None or seen.outcome is not Outcome.OK:
        return seen
    done = _run(ask, _curl(ask, f"https://{ask.target.host}/where", "--fail"))
    where = done.stdout.rpartition("\n")[0].strip()
    if done.timed_out or done.status:
        return no_result(f"the page came, but where it came out could not be asked (curl {done.status})")
    return came_out(seen, where, ask.via.exit)


def came_out(seen: Observation, where: str, exit: str) -> Observation:
    """A success through a tool, whose request the server saw come from `where`; no result if it went past the tool."""
    if where != exit:
        return no_result(f"it went past the tool: the server saw {where}, the tool's exit is {exit}")
    return dataclasses.replace(seen, exit_address=where)


def _judge(ask: Ask, done: Done) -> Observation:
    if done.timed_out:
        return no_result(f"the client did not end {_GRACE_S:g} s after its own limit")
    body, _, last = done.stdout.rpartition("\n")
    try:
        said: Mapping[str, Any] = json.loads(last)
        code = int(said["exitcode"])
    except (ValueError, KeyError, TypeError):
        return no_result(f"the client gave no report (exit status {done.status}): {done.stderr[-200:]}")
    if code in _OURS:
        return no_result(f"curl ({code}) {said.get('errormsg') or ''}")
    seconds = float(said["time_total"])
    connect = float(said["time_connect"]) or _connected_s(done.stderr, seconds)
    tls = float(said["time_appconnect"]) or None
    if code:
        cause = _CONNECT_FAILED.findall(done.stderr)
        text = str(said.get("errormsg") or done.stderr[-200:])
        named = failure.from_curl(code, cause[-1] if code == 7 and cause else text)
        note = text
        if code == 6:
            named, note = _why_no_address(ask, text)
        return Observation(
            outcome=Outcome.BLOCKED, failure=named, seconds=seconds, connect_s=connect, tls_s=tls, note=note
        )
    size = int(said["size_download"])
    wrong = wrong_page(ask.target.host, int(said["http_code"]), body)
    return Observation(
        outcome=Outcome.BLOCKED if wrong else Outcome.OK,
        failure=wrong,
        seconds=seconds,
        time_to_first_byte=float(said["time_starttransfer"]),
        goodput=size * 8 / seconds if seconds > 0 else None,
        bytes=size,
        connect_s=connect,
        tls_s=tls,
        note=f"from {said.get('remote_ip')}: {body[:120]!r}" if wrong else "",
    )


def _connected_s(log: str, seconds: float) -> float | None:
    """When TCP was connected, from the start of a transfer that took `seconds`; None if it never was.

    If TLS fails, many versions of curl say 0; but their log has a line for it, and its last line is the transfer's end.
    """
    lines = [
        (3600 * int(hour) + 60 * int(minute) + float(second), text)
        for hour, minute, second, text in _LOGGED.findall(log)
    ]
    for at, text in lines:
        if text.startswith(_CONNECTED):
            return max(0.0, round(seconds - (lines[-1][0] - at) % 86_400, 6)) or None
    return None


def _why_no_address(ask: Ask, text: str) -> tuple[str, str]:
    """Ask once more with dig, because curl does not tell NXDOMAIN from a server that failed."""
    why, note = look_up(ask)
    if not why:
        return failure.DNS_TEMPORARY, f"{text}; asked again: resolved"
    return why, f"{text}; asked again: {note or why}"
