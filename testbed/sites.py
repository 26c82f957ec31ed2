"""The web sites of a lab: names and the addresses that they live at.

Values only; who serves them and who answers for their names is said in `emulate.services`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: RFC 1123 section 2.1, with the underscore that some real names have
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))+")
#: host parts of the addresses of `web` that --site names get, one each, before they must share the last one
_FIRST, _LAST = 30, 250


@dataclass(frozen=True, slots=True)
class Site:
    """One host name with its true addresses."""

    name: str
    ipv4: str
    ipv6: str


def _at(name: str, number: int) -> Site:
    return Site(name, f"203.0.113.{number}", f"2001:db8:203::{number}")


#: a blocked name, its subdomain, a look-alike and an innocent one at one address; another one elsewhere
DEFAULT = (
    _at("blocked.example", 10),
    _at("www.blocked.example", 10),
    _at("notblocked.example", 10),
    _at("innocent.example", 10),
    _at("other.example", 20),
)


def is_name(text: str) -> bool:
    """True for a host name that can be served: lower case, with a dot, ASCII (punycode for the rest)."""
    return len(text) <= 253 and _NAME.fullmatch(text) is not None and not text.rsplit(".", 1)[1].isdigit()


def place(names: Iterable[str]) -> tuple[Site, ...]:
    """The default sites and the named ones, each of these at an address of its own while there are any."""
    sites = {site.name: site for site in DEFAULT}
    number = _FIRST
    for name in names:
        wanted = name.strip().rstrip(".").lower()
        if not is_name(wanted):
            raise ValueError(f"site '{name}': a host name like 'blocked.example' is expected")
        if wanted not in sites:
            sites[wanted] = _at(wanted, min(number, _LAST))
            number += 1
    return tuple(sites.values())
