"""What a connection's ends may be told to do differently; the defaults are those of Linux 6.

Values only.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.simulate.tcp.congestion import CONTROLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one host's TCP behaves."""

    control: str = "cubic"
    pacing: bool = False  #: spread a window over the round trip, as under the fq queue or with BBR's socket option
    #: wait until two segments can leave together, as with segmentation offload; off in the emulated lab
    offload: bool = True
    nagle: bool = False  #: keep back what does not fill a segment; browsers and servers of the web switch it off
    sack: bool = True
    timestamps: bool = True
    window_scale: int = 7
    segment: int = 1_460  #: the MSS over IPv4; 20 less over IPv6
    first_window: int = 65_535  #: bytes that are taken at first (half of tcp_rmem's 128 kB)
    most_window: int = 3 << 20  #: what the window grows to with what is read (half of tcp_rmem's 6 MB)
    send_buffer: int = 256 << 10  #: bytes that may wait to be sent before a program must wait

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            raise ValueError(f"congestion control '{self.control}': one of {', '.join(CONTROLS)} is expected")
        if not 88 <= self.segment <= 1_460:
            raise ValueError(f"segments of {self.segment} bytes: 88 to 1460 fit the simulated links")
        if not 0 <= self.window_scale <= 14:
            raise ValueError(f"window scale {self.window_scale}: 0 to 14 are possible (RFC 7323, 2.3)")


DEFAULT = Settings()
