"""Rates, and amounts of traffic, as they are written in a policy: '128 kbit/s', '600 B/s', '25 packets', '16 kB'.

Inside, rates are bytes a second; kbit is 1000 bit.
"""

from __future__ import annotations

import re
from fractions import Fraction

from middlebox.action import Amount
from middlebox.grammar.shape import Leaf, Mismatch
from middlebox.grammar.source import Scalar
from middlebox.grammar.units import SIZE, size_text, whole

#: a unit -> bits a second
_UNITS = {
    "bit/s": 1,
    "kbit/s": 1000,
    "Mbit/s": 10**6,
    "Gbit/s": 10**9,
    "B/s": 8,
    "kB/s": 8000,
    "MB/s": 8 * 10**6,
}
#: how people write units that we write otherwise
_OTHER_NAMES = {
    **dict.fromkeys(("bps", "bit", "bits/s", "b/s"), "bit/s"),
    **dict.fromkeys(("kbps", "kbit", "kbits/s", "kb/s"), "kbit/s"),
    **dict.fromkeys(("mbps", "mbit", "mbits/s", "mb/s"), "Mbit/s"),
    **dict.fromkeys(("gbps", "gbit", "gbits/s", "gb/s"), "Gbit/s"),
    **dict.fromkeys(("byte/s", "bytes/s"), "B/s"),
    **dict.fromkeys(("kbyte/s", "kbytes/s"), "kB/s"),
    **dict.fromkeys(("mbyte/s", "mbytes/s"), "MB/s"),
}
_RATE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*(\S*)")

#: bytes a second that a rate may have: a packet in some minutes, and more than a lab's links can carry
LEAST, MOST = 1, 1_250_000_000


def _rate(node: Scalar) -> int:
    found = _RATE.fullmatch(node.text.strip())
    if not found:
        raise Mismatch("write it like: 128 kbit/s")
    number, unit = found.groups()
    if unit not in _UNITS:
        better = _OTHER_NAMES.get(unit.lower(), "" if unit else "kbit/s")
        raise Mismatch(f"which unit? write it like: {number} {better}" if better else "write it like: 128 kbit/s")
    rate = round(Fraction(number) * _UNITS[unit] / 8)
    if not LEAST <= rate <= MOST:
        raise Mismatch("a rate from 8 bit/s to 10 Gbit/s")
    return rate


def rate_text(rate: int) -> str:
    """A rate in the largest unit that needs no decimals: "128 kbit/s"."""
    bits = rate * 8
    for unit, scale in (("Gbit/s", 10**9), ("Mbit/s", 10**6), ("kbit/s", 1000)):
        if bits >= scale and bits % (scale // 10) == 0:
            return f"{bits // scale}{f'.{bits % scale * 10 // scale}' if bits % scale else ''} {unit}"
    return f"{bits} bit/s"


RATE: Leaf[int] = Leaf(
    "a rate with its unit (bit/s, kbit/s, Mbit/s, Gbit/s, or B/s, kB/s, MB/s) such as '128 kbit/s'",
    _rate,
    {"type": "string", "pattern": rf"^\d+(\.\d+)?\s*({'|'.join(_UNITS)})$"},
    rate_text,
)


def _amount(node: Scalar) -> Amount:
    text = node.text.strip()
    count = whole(re.sub(r"\s*packets?$", "", text))
    if count is not None:
        if not re.search("packets?$", text):
            raise Mismatch(f"of what? write it like: {count} packets, or {count} kB")
        if not count:
            raise Mismatch("at least 1 packet; to begin at once, leave it out")
        return Amount(packets=count)
    size = SIZE.parse(node)
    if not size:
        raise Mismatch("at least 1 byte; to begin at once, leave it out")
    return Amount(bytes=size)


def amount_text(amount: Amount) -> str:
    """ "25 packets", or "16 kB"."""
    if amount.packets:
        return f"{amount.packets} packet{'' if amount.packets == 1 else 's'}"
    return size_text(amount.bytes)


AMOUNT: Leaf[Amount] = Leaf(
    "a number of packets such as '25 packets', or a size such as '16 kB'",
    _amount,
    {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(packets?|B|kB|MB|bytes)$"},
    amount_text,
)
