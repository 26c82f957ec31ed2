"""What stands in headers, as it is written in a policy: TTLs and the like, flags, payloads, addresses, networks."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network

from middlebox.ability import Draw, Network
from middlebox.grammar.shape import Leaf, Mismatch
from middlebox.grammar.source import Scalar
from middlebox.grammar.units import number_range
from middlebox.looking import flag_bits, flag_names

#: a whole number, decimal or hexadecimal
_WHOLE = r"(\d+|0x[0-9A-Fa-f]+)"


def header_number(low: int, high: int, what: str, *, random: bool = False) -> Leaf[Draw]:
    """A header's number: fixed, from a range, at random, or the trigger's own."""

    def parse(node: Scalar) -> Draw:
        if node.text == "mirror":
            return Draw(low, high, mirror=True)
        if node.text == "random" and random:
            return Draw(low, high)
        found = number_range(node.text)
        if found is None:
            raise Mismatch("")
        if found[0] > found[1]:
            raise Mismatch(f"the range is empty; write: {found[1]}-{found[0]}")
        if found[0] < low or found[1] > high:
            raise Mismatch(f"it must lie within {low}-{high}")
        return Draw(*found)

    def text(draw: Draw) -> object:
        if draw.mirror:
            return "mirror"
        if random and (draw.low, draw.high) == (low, high):
            return "random"
        return draw.low if draw.fixed else f"{draw.low}-{draw.high}"

    also = ", 'random'" if random else ""
    alone = "random|mirror" if random else "mirror"
    return Leaf(
        f"{what} ({low} to {high}), a range such as '{max(low, 55)}-118'{also} or 'mirror' (the trigger's own)",
        parse,
        {
            "anyOf": [
                {"type": "integer", "minimum": low, "maximum": high},
                {"type": "string", "pattern": rf"^({_WHOLE}(\s*-\s*{_WHOLE})?|{alone})$"},
            ]
        },
        text,
    )


_FLAG_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def flags_text(flags: int) -> str:
    """ "RST+ACK"."""
    return "+".join(sorted(flag_names(flags), key=lambda name: ("RST", "FIN", "SYN", "PSH", "URG", "ACK").index(name)))


def _flags(node: Scalar) -> int:
    try:
        if node.text != node.text.upper():
            raise Mismatch(f"write: {flags_text(flag_bits(node.text))}")
        return flag_bits(node.text)
    except KeyError:
        raise Mismatch(f"the flags are {', '.join(_FLAG_NAMES)}") from None


_ONE_FLAG = f"({'|'.join(_FLAG_NAMES)})"
FLAGS: Leaf[int] = Leaf(
    "TCP flags joined by '+' such as 'RST+ACK'",
    _flags,
    {"type": "string", "pattern": rf"^{_ONE_FLAG}(\s*\+\s*{_ONE_FLAG})*$"},
    flags_text,
)


#: bytes behind the headers of one forged packet: with both, it still fits an Ethernet path
MAX_PAYLOAD = 1_400


def _payload(node: Scalar) -> bytes:
    try:
        data = bytes.fromhex(node.text[4:]) if node.text.startswith("hex:") else node.text.encode()
    except ValueError:
        raise Mismatch("after 'hex:' come pairs of hexadecimal digits: hex:0102ff") from None
    if len(data) > MAX_PAYLOAD:
        raise Mismatch(f"one packet carries at most {MAX_PAYLOAD} bytes; these are {len(data)}")
    return data


PAYLOAD: Leaf[bytes] = Leaf("a text, or bytes such as 'hex:0102'", _payload, {"type": ["string", "number"]})


def address(text: str) -> bytes | None:
    """An IP address in network order; None for anything else, and one with a zone ("%eth0"), which packets lack."""
    if "%" in text:
        return None
    try:
        return IPv4Address(text).packed
    except AddressValueError:
        pass
    try:
        return IPv6Address(text).packed
    except AddressValueError:
        return None


def _address_of(*lengths: int) -> Leaf[bytes]:
    what: dict[tuple[int, ...], str] = {
        (4,): "an IPv4 address such as 192.0.2.1",
        (16,): "an IPv6 address such as '2001:db8::1'",
    }

    def parse(node: Scalar) -> bytes:
        packed = address(node.text)
        if packed is None:
            raise Mismatch("")
        if len(packed) not in lengths:
            raise Mismatch("IPv4 addresses go under 'a', IPv6 addresses under 'aaaa'")
        return packed

    return Leaf(what.get(lengths, "an IP address such as 192.0.2.1"), parse, {"type": "string"})


IPV4, IPV6, ADDRESS = _address_of(4), _address_of(16), _address_of(4, 16)


def network(text: str) -> Network:
    """A network, or an address as a network of one; raises `Mismatch`."""
    if "%" in text:
        raise Mismatch("without a zone: packets do not tell it")
    try:
        return ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise Mismatch(f"write: {ip_network(text, strict=False)}") from None
        raise Mismatch("") from None


NETWORK: Leaf[Network] = Leaf(
    "a network such as 203.0.113.0/24, or an address", lambda node: network(node.text), {"type": "string"}, str
)
