"""What a program wants sent and was not sent yet: bytes, and the end behind them.

It knows no numbers and no windows.
"""

from __future__ import annotations


class Outbox:
    """The bytes of one direction."""

    __slots__ = ("_begin", "_data", "ended")

    def __init__(self) -> None:
        self.ended = False  #: an end waits behind the bytes
        self._data = bytearray()
        self._begin = 0  # where in it the next byte stands

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return len(self._data) - self._begin

    def write(self, data: bytes) -> None:
        if self._begin:
            del self._data[: self._begin]
            self._begin = 0
        self._data += data

    def take(self, size: int) -> tuple[bytes, bool]:
        """The next bytes, and whether the end goes with them."""
        begin = self._begin
        self._begin = begin + size
        ends = self.ended and self._begin == len(self._data)
        if ends:
            self.ended = False
        return bytes(memoryview(self._data)[begin : begin + size]), ends

    def clear(self) -> None:
        self._data.clear()
        self._begin = 0
        self.ended = False
