"""The closed set of fields."""

from __future__ import annotations

from middlebox.dissect import DISSECTORS
from middlebox.dissect.base import Kind
from middlebox.fields import NAMES, about, kind_of, protocol_of


def test_every_field_has_a_kind_and_a_line_about_it() -> None:
    for name in NAMES:
        assert isinstance(kind_of(name), Kind)
        assert about(name)


def test_a_fact_field_names_its_dissector_and_a_packet_field_none() -> None:
    assert protocol_of("tls.sni") == "tls"
    assert protocol_of("client.ip") == ""
    assert {protocol_of(name) for name in NAMES} == {"", *DISSECTORS}
