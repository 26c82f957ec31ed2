"""Where tunnels come out: the relay gives their packets an address and ports of its own, and takes the answers back.

Source NAT for TCP and UDP over IPv4, as the lab's relay does it by masquerading; fragments and ICMP are not translated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from middlebox.packet import TCP, UDP
from testbed.simulate.host import Host

#: who gets the answers: the tunnel of one client
Deliver = Callable[[bytes], None]
#: ports of translated flows: none of them is a server's
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_Place = tuple[int, bytes, int]  # protocol, address, port


class Exits:
    """The relay's table; one for each relay."""

    def __init__(self, relay: Host) -> None:
        self._relay = relay
        self._ports: dict[tuple[_Place, Deliver], int] = {}  # inside, by the tunnel -> port outside
        self._inside: dict[_Place, tuple[bytes, int, Deliver]] = {}  # outside -> inside
        self._next = _FIRST_PORT
        relay.incoming = self._back

    @staticmethod
    def of(relay: Host) -> Exits:
        """The table of this relay, made when first asked for."""
        hook = getattr(relay.incoming, "__self__", None)
        return hook if isinstance(hook, Exits) else Exits(relay)

    def out(self, raw: bytes, outside: bytes, deliver: Deliver) -> None:
        """Send a packet from the inside out, from this address of the relay (4 bytes); `deliver` gets the answers."""
        found = _ends(raw)
        if found is None:
            return
        proto, src, sport, _, _ = found
        key = ((proto, src, sport), deliver)
        port = self._ports.get(key)
        if port is None:
            port = self._ports[key] = self._free(proto, outside)
            self._inside[proto, outside, port] = (src, sport, deliver)
        self._relay.send_raw(translated(raw, src=outside, sport=port))

    def _free(self, proto: int, outside: bytes) -> int:
        for _ in range(_LAST_PORT - _FIRST_PORT):
            self._next = self._next + 1 if self._next < _LAST_PORT else _FIRST_PORT
            if (proto, outside, self._next) not in self._inside:
                return self._next
        # the oldest flow has been over for long
        oldest = next(iter(self._inside))
        src, sport, deliver = self._inside.pop(oldest)
        del self._ports[(proto, src, sport), deliver]
        return oldest[2]

    def _back(self, raw: bytes) -> Iterable[bytes]:
        """What comes to the relay: answers go inside, all else is its own."""
        found = _ends(raw)
        if found is not None:
            proto, _, _, dst, dport = found
            there = self._inside.get((proto, dst, dport))
            if there is not None:
                address, port, deliver = there
                deliver(translated(raw, dst=address, dport=port))
                return ()
        return (raw,)


def _ends(raw: bytes) -> tuple[int, bytes, int, bytes, int] | None:
    """Protocol, source and destination of an IPv4 packet with ports; None for any other."""
    if len(raw) < 28 or raw[0] >> 4 != 4 or raw[9] not in (TCP, UDP) or (raw[6] & 0x3F) or raw[7]:
        return None
    at = (raw[0] & 15) * 4
    return raw[9], raw[12:16], raw[at] << 8 | raw[at + 1], raw[16:20], raw[at + 2] << 8 | raw[at + 3]


def translated(
    raw: bytes, *, src: bytes | None = None, sport: int = 0, dst: bytes | None = None, dport: int = 0
) -> bytes:
    """An IPv4 packet with another source or destination; its checksums follow by difference (RFC 1624, equation 3)."""
    made = bytearray(raw)
    at = (raw[0] & 15) * 4
    if src is not None:
        made[12:16] = src
        made[at : at + 2] = sport.to_bytes(2, "big")
    if dst is not None:
        made[16:20] = dst
        made[at + 2 : at + 4] = dport.to_bytes(2, "big")
    address = int.from_bytes(made[12:20], "big") - int.from_bytes(raw[12:20], "big")
    ports = int.from_bytes(made[at : at + 4], "big") - int.from_bytes(raw[at : at + 4], "big")
    _change(made, 10, address)
    place = at + (16 if raw[9] == TCP else 6)
    if raw[9] == TCP or made[place] or made[place + 1]:  # UDP without a checksum has none
        _change(made, place, address + ports)
    return bytes(made)


def _change(packet: bytearray, at: int, more: int) -> None:
    """The checksum at this place, of data whose words have become larger by so much in all."""
    old = packet[at] << 8 | packet[at + 1]
    new = (old - more) % 0xFFFF  # modulo 65535 a long number is the sum of its 16-bit words
    if new == 0 and old:
        new = 0xFFFF
    packet[at : at + 2] = new.to_bytes(2, "big")
