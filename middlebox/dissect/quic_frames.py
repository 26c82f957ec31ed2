"""The frames of an Initial packet, and the bytes of the handshake that its CRYPTO frames carry, put in order.

Frames that an Initial packet must not have make it none. Where copies of a byte disagree, the first counts.

Source: RFC 9000 sections 12.4 (which frames an Initial may have), 19.1 to 19.3, 19.6, 19.19; section 7.5 (buffers).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from middlebox.dissect.quic_packet import varint

#: bytes of the handshake that are kept of one flow. Clients of today send 300 to 2,000 bytes, with post-quantum keys of
#: several sorts below 20,000
MAX_CRYPTO: Final = 32_768
#: frames of one packet, a run of PADDING counted as one. Clients that scatter their hello on purpose make some dozens
MAX_FRAMES: Final = 512

_PADDING: Final = 0x00
_PING: Final = 0x01
_ACK: Final = 0x02
_ACK_ECN: Final = 0x03
_CRYPTO: Final = 0x06
_CLOSE: Final = 0x1C

#: one CRYPTO frame: the offset of its bytes in the handshake, and where they stand in the packet's frames
Piece = tuple[int, int, int]


def crypto_pieces(frames: bytes) -> list[Piece] | None:
    """The CRYPTO frames of a packet, in its order; None if its frames are not those of an Initial."""
    pieces: list[Piece] = []
    at, end = 0, len(frames)
    for _ in range(MAX_FRAMES):
        if at >= end:
            return pieces
        kind = frames[at]
        at += 1
        if kind == _PADDING:
            at = end - len(frames[at:].lstrip(b"\x00"))
        elif kind == _CRYPTO:
            offset, at = varint(frames, at, end)
            length, at = varint(frames, at, end) if at > 0 else (0, -1)
            if at < 0 or at + length > end:
                return None
            pieces.append((offset, at, at + length))
            at += length
        elif kind in (_ACK, _ACK_ECN):
            at = _after_ack(frames, at, end, ecn=kind == _ACK_ECN)
            if at < 0:
                return None
        elif kind == _CLOSE:
            return pieces  # whatever follows, the connection is over
        elif kind != _PING:
            return None
    return None


def first_frame(frames: bytes) -> int:
    """Where the bytes of the first frame begin, if it is a CRYPTO frame with the handshake's first bytes; else -1.

    The frame's length is not looked at.
    """
    end = len(frames)
    if not end or frames[0] != _CRYPTO:
        return -1
    offset, at = varint(frames, 1, end)
    if at < 0 or offset:
        return -1
    return varint(frames, at, end)[1]


def _after_ack(frames: bytes, at: int, end: int, *, ecn: bool) -> int:
    """The place after an ACK frame whose fields begin at `at`; -1 if it is cut off."""
    count = 0
    for field in range(4):  # largest acknowledged, delay, range count, first range
        value, at = varint(frames, at, end)
        if at < 0:
            return -1
        if field == 2:
            count = value
    if count > end - at:  # each range takes two bytes or more
        return -1
    for _ in range(2 * count + (3 if ecn else 0)):
        at = varint(frames, at, end)[1]
        if at < 0:
            return -1
    return at


class CryptoBytes:
    """The first bytes of one handshake, in whatever order they come."""

    __slots__ = ("_ends", "_starts", "data")

    def __init__(self) -> None:
        self.data = bytearray()  #: with holes, which `whole` does not give
        self._starts: list[int] = []  # of ranges that have come, in order, none touching the next
        self._ends: list[int] = []

    @property
    def whole(self) -> int:
        """How many bytes there are before the first hole."""
        return self._ends[0] if self._starts and not self._starts[0] else 0

    def add(self, offset: int, piece: bytes) -> None:
        """Take the bytes from `offset` on; what has come before stays, what lies beyond `MAX_CRYPTO` is left out."""
        end = min(offset + len(piece), MAX_CRYPTO)
        if end <= offset:
            return
        if end > len(self.data):
            self.data.extend(bytes(end - len(self.data)))
        starts, ends = self._starts, self._ends
        low = bisect_left(ends, offset)  # the first range that ends at or after the piece's start
        high = low
        at = offset
        while (
            high < len(starts) and starts[high] <= end
        ):  # a range that the piece touches: only the gap before it is new
            if at < starts[high]:
                self.data[at : starts[high]] = piece[at - offset : starts[high] - offset]
            at = max(at, ends[high])
            high += 1
        if at < end:
            self.data[at:end] = piece[at - offset : end - offset]
        begins = min(offset, starts[low]) if low < high else offset
        finishes = max(end, ends[high - 1]) if low < high else end
        starts[low:high] = [begins]
        ends[low:high] = [finishes]
