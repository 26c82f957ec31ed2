"""Where a request through a tool comes out: asked of the web server itself, which answers with the address it sees.

A tool is never believed to work because something was fetched: only because of where that came from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from testbed import failure
from testbed.tool import Host, Via

#: a site that shares its address with no blocked one
SITE = "other.example"
_GRACE_S = 2.0  #: beyond curl's own limit
#: why a connection failed stands only in the verbose log, all else in curl's last line
_CAUSE = re.compile(r"(?:connect to .* failed|curl: \(\d+\)):? (.+)")
_ADDRESS = re.compile(r"[0-9a-f.:]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """One answer, or why there is none."""

    address: str = ""
    failure: str = ""  #: OONI's string


def ask(host: Host, via: Via, limit_s: float, site: str = SITE) -> Exit:
    """Ask `http://SITE/where` through a tool, over IPv4; `Via()` asks by the host's own route."""
    words = ["curl", "-q", "--silent", "--show-error", "--verbose", "--fail", "--ipv4"]
    words += ["--connect-timeout", f"{limit_s:.3f}", "--max-time", f"{limit_s:.3f}"]
    words += ["--proxy", via.proxy] if via.proxy else ["--noproxy", "*"]
    if via.source:
        words += ["--interface", f"host!{via.source}"]
    done = host.run([*words, f"http://{site}/where"], timeout=limit_s + _GRACE_S)
    if done.timed_out:
        return Exit(failure=failure.TIMEOUT)
    if done.status:
        cause = _CAUSE.findall(done.stderr)
        return Exit(failure=failure.from_curl(done.status, cause[0] if cause else ""))
    said = done.stdout.strip()
    if not _ADDRESS.fullmatch(said):
        return Exit(failure=failure.unknown(f"/where answered {said[:60]!r}, not an address"))
    return Exit(address=said)


def exit_address(host: Host, via: Via, site: str = SITE, limit_s: float = 5.0) -> str:
    """The address from which a request through the tool reaches the site; "" if none does within the limit."""
    return ask(host, via, limit_s, site).address


def went_through(host: Host, via: Via, site: str = SITE, limit_s: float = 5.0) -> bool:
    """Whether a request comes out at the tool's relay and nowhere else."""
    if not via.exit:
        raise ValueError("this way through has no exit address, so nothing can be checked against it")
    return exit_address(host, via, site, limit_s) == via.exit
