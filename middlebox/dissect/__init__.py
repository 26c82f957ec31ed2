"""The protocols that the censor reads, and the fields that each of them tells.

A new protocol is one file beside this one, and one line in `_ALL`. Nothing is found by scanning folders.
"""

from __future__ import annotations

from middlebox.dissect import dns, dtls, encrypted, http, ikev2, openvpn, quic, ssh, tls, wireguard
from middlebox.dissect.base import Dissector, Field

__all__ = ["DISSECTORS", "FIELDS", "register"]

#: every protocol, by name
DISSECTORS: dict[str, Dissector] = {}
#: every protocol's fields, by name
FIELDS: dict[str, Field] = {}


def register(dissector: Dissector) -> None:
    """Add a protocol; raises ValueError if its name or one of its fields is taken or does not belong to it."""
    if dissector.name in DISSECTORS:
        raise ValueError(f"dissector {dissector.name!r} is registered twice; give the second one a name of its own")
    fields: dict[str, Field] = {}
    for field in dissector.fields:
        if not field.name.startswith(f"{dissector.name}."):
            raise ValueError(
                f"field {field.name!r} of dissector {dissector.name!r} must be named {dissector.name + '.WORD'!r}"
            )
        if field.name in fields or field.name in FIELDS:
            raise ValueError(f"field {field.name!r} is registered twice; each name may occur once")
        fields[field.name] = field
    DISSECTORS[dissector.name] = dissector
    FIELDS.update(fields)


_ALL: tuple[Dissector, ...] = (
    tls.DISSECTOR,
    http.DISSECTOR,
    dns.DISSECTOR,
    quic.DISSECTOR,
    wireguard.DISSECTOR,
    openvpn.DISSECTOR,
    ikev2.DISSECTOR,
    ssh.DISSECTOR,
    dtls.DISSECTOR,
    encrypted.DISSECTOR,
)

for _one in _ALL:
    register(_one)
