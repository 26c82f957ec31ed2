"""A client that stands: how one goes through it, and the wait until a request has come out at the relay.

As in the lab (`testbed.tools.serving`), a tool is never believed to work because something was fetched, only because of
where that came from.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from testbed import failure
from testbed.simulate import http
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.fetch import Dialler, where
from testbed.simulate.web import HTTP
from testbed.tool import NotUp, Via
from testbed.tools import exits as asked_sites

if TYPE_CHECKING:
    from testbed.simulate.laboratory import SimulatedLab

#: seconds for one question through a tunnel that may not be up yet, and between two
_ASK_S, _AGAIN_S = 2.0, 0.02


@dataclass(slots=True)
class Standing:
    """A client that was connected; see `asked.SimulatedTunnel`."""

    via: Via
    ready_s: float
    inner: Dialler
    _alive: Callable[[], bool]
    _times_up: Callable[[], int]
    _close: Callable[[], None]

    def alive(self) -> bool:
        return self._alive()

    def reconnects(self) -> int:
        return max(0, self._times_up() - 1)

    def close(self) -> None:
        self._close()


def asked_exit(
    inner: Dialler, address: str, limit_s: float, clock_s: Callable[[], float]
) -> Generator[Event, Any, str]:
    """Where a request through `inner` to this web server comes out; "" if no answer comes within the limit."""
    until_s = clock_s() + limit_s

    def left_s() -> float:
        return max(1e-6, until_s - clock_s())

    try:
        connection = yield from inner.connect(address, HTTP, limit_s=left_s())
        try:
            return (yield from where(connection, http.Reader(connection), asked_sites.SITE, left_s))
        finally:
            connection.close()
    except (OSError, EOFError, http.HttpError):
        return ""


def await_exit(
    tool: str,
    lab: SimulatedLab,
    inner: Dialler,
    exit: str,
    limit_s: float,
    begin_s: float,
    *,
    up: Callable[[], bool] = lambda: True,
    changed: Callable[[], Event] | None = None,
    ended: Callable[[], str] = lambda: "",
    why: Callable[[], str] = lambda: failure.TIMEOUT,
) -> Generator[Event, Any, float]:
    """Wait until a request comes out where it should; seconds since `begin_s`. Raises NotUp.

    `up`: it makes sense to try; `changed`: when that may have changed; `ended`: why the client has given up, or "".
    """
    clock = lab.clock
    site = next(one for one in lab.sites if one.name == asked_sites.SITE)

    def now_s() -> float:
        return clock.now_ns / SECOND_NS

    while True:
        seconds = now_s() - begin_s
        gone = ended()
        if gone:
            raise NotUp(tool, gone, seconds, gone)
        if seconds >= limit_s - 1e-9:
            raise NotUp(tool, why(), limit_s, "")
        if not up():
            waiting = clock.wait(max(1e-6, limit_s - seconds))
            yield (changed() | waiting) if changed else (clock.wait(_AGAIN_S) | waiting)
            continue
        found = yield from asked_exit(inner, site.ipv4, min(_ASK_S, max(0.1, limit_s - seconds)), now_s)
        if found == exit:
            return now_s() - begin_s
        yield clock.wait(_AGAIN_S)
