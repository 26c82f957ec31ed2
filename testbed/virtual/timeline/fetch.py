"""One transfer in virtual time, directly or through a tool: so many bytes from a name, and where one came from."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from testbed.simulate.fetch import Browser, Fetched
from testbed.simulate.tunnels import SimulatedTunnel
from testbed.timeline import fetch as shared
from testbed.timeline.fetch import OBJECT, Answer
from testbed.timeline.values import Transfer
from testbed.virtual.asking import rounded


def fetch(
    browser: Browser,
    transfer: Transfer,
    *,
    address: str,
    limit_s: float,
    source: str = "",
    tunnel: SimulatedTunnel | None = None,
) -> Generator[Event, Any, shared.Fetched]:
    """Fetch once; `address`: the server's; `source`: the client's own address for a direct transfer."""
    done: Fetched = yield from browser.fetch(
        transfer.host,
        f"/object/{OBJECT}",
        address=address,
        limit_s=limit_s,
        source=(source, ""),
        fields=f"Range: bytes=0-{transfer.bytes - 1}\r\n",
        through=tunnel.inner if tunnel else None,
    )
    size = len(done.body)
    note = f"{done.note}; {size} bytes had come" if size and done.failure else done.note
    answer = Answer(
        why=done.failure,
        note=note,
        status=done.status,
        bytes=size,
        exit=done.fields.get("x-from", ""),
        seconds=done.seconds,
        first_byte_s=rounded(done.first_byte_s),
        connect_s=rounded(done.connected_s),
        tls_s=rounded(done.secured_s),
    )
    return shared.judged(transfer, answer, tunnel.via.exit if tunnel else "")
