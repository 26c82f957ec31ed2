"""A page over HTTP/3 in a simulated lab, for tests."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from testbed.simulate.certificates import authority_pem
from testbed.simulate.chance import stream
from testbed.simulate.fetch import Fetched
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.quic.fetch import fetch


def ask(lab: SimulatedLab, name: str = "innocent.example", path: str = "/", **more: Any) -> Fetched:
    """What came of it."""
    more.setdefault("authority", authority_pem())
    authority = more.pop("authority")
    asking = fetch(lab.client, lab.resolver, authority, name, path, random=stream(lab.seed, "test"), **more)
    done: Fetched = lab.run(asking)[0]
    return done


def packets(seed: int) -> str:
    """The digest of all packets that hosts send and get while a page is asked for."""
    lab = SimulatedLab(topology="small", seed=seed)
    seen = sha256()
    lab.network.watch(lambda _name, _way, t_ns, raw: seen.update(t_ns.to_bytes(8, "big") + raw))
    assert ask(lab, path="/page").failure == ""
    return seen.hexdigest()
