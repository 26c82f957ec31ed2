"""What the lab's servers are told; that they serve it is tested in `test_laboratory`."""

from __future__ import annotations

from pathlib import Path

from testbed.emulate.services import dns_arguments, write_web
from testbed.emulate.trust import Authority
from testbed.pages import OBJECTS
from testbed.sites import DEFAULT


def test_a_site_listens_at_its_own_address_only(tmp_path: Path) -> None:
    text = write_web(tmp_path / "web", tmp_path, DEFAULT, Authority.make(), ipv6=True).read_text()
    other = next(block for block in text.split("server {") if "server_name other.example;" in block)
    assert "listen 203.0.113.20:443 ssl http2;" in other
    assert "listen [2001:db8:203::20]:80;" in other
    assert "203.0.113.10" not in other
    assert text.count("default_server") == 2 * 2 * 2  # two addresses, two families, two ports


def test_without_ipv6_no_server_listens_for_it(tmp_path: Path) -> None:
    text = write_web(tmp_path / "web", tmp_path, DEFAULT, Authority.make(), ipv6=False).read_text()
    assert "[2001:" not in text


def test_files_to_download_have_their_sizes(tmp_path: Path) -> None:
    write_web(tmp_path / "web", tmp_path, DEFAULT, Authority.make(), ipv6=True)
    assert {path.name: path.stat().st_size for path in (tmp_path / "web" / "object").iterdir()} == OBJECTS


def test_the_dns_answers_for_the_sites_and_for_nothing_else(tmp_path: Path) -> None:
    dns_arguments(tmp_path / "dns", DEFAULT, ipv6=True)
    lines = (tmp_path / "dns" / "dnsmasq.conf").read_text().splitlines()
    assert "local=/#/" in lines
    assert "no-resolv" in lines
    assert "host-record=blocked.example,203.0.113.10,2001:db8:203::10" in lines
