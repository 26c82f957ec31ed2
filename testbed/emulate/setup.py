"""What the caller asks of the holder when a lab starts; values, sent to it as its standard input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from testbed.sites import Site
from testbed.topology import Topology


@dataclass(frozen=True, slots=True)
class BoxPolicy:
    """A policy for one box: its file, or its text if it has none."""

    path: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A lab to be built."""

    topology: Topology
    sites: tuple[Site, ...]
    seed: int
    out: str | None  #: the run folder; None: inside the lab's own tmpfs
    policies: Mapping[str, BoxPolicy]  #: box -> its policy; a box without one only forwards
    fail: str  #: what the kernel does with packets if a box dies: "closed" drops, "open" forwards them
    capture: bool
    congestion: str
    wire_packets: bool
    path: str  #: where programs are searched
    python_path: str  #: where this project's packages are
    #: who carries out what boxes have decided for the rest of a flow: "kernel" where it can, or "queue": the boxes
    data_plane: str = "kernel"
    workers: int = 1  #: processes of each box
    box_module: str = "middlebox.drivers.nfqueue"
