"""Where the lab's web sites live."""

from __future__ import annotations

import pytest

from testbed.sites import DEFAULT, is_name, place


def test_the_blocked_name_shares_its_address_with_an_innocent_one() -> None:
    by_name = {site.name: site for site in DEFAULT}
    assert by_name["blocked.example"].ipv4 == by_name["innocent.example"].ipv4
    assert by_name["blocked.example"].ipv4 != by_name["other.example"].ipv4


def test_named_sites_get_addresses_of_their_own() -> None:
    sites = place(["one.example", "Two.Example.", "one.example", "blocked.example"])
    assert [site.name for site in sites[len(DEFAULT) :]] == ["one.example", "two.example"]
    assert len({site.ipv4 for site in sites}) == 4


def test_more_sites_than_addresses_share_the_last_one() -> None:
    sites = place(f"site{number}.example" for number in range(300))
    assert sites[-1].ipv4 == sites[-2].ipv4 == "203.0.113.250"


@pytest.mark.parametrize(
    "name", ["", "nodot", "-a.example", "a b.example", "10.0.0.1", "x" * 64 + ".example", "é.example"]
)
def test_what_is_no_host_name_is_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(ValueError, match="a host name like"):
        place([name])
