"""The servers of a lab, asked by real clients; and what its commands see of the file system."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from testbed.lab import Lab

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize("name", ["innocent.example", "notblocked.example", "other.example", "extra.example"])
def test_a_site_is_fetched_by_name_and_trusted(lab: Lab, name: str, family: str) -> None:
    done = lab.client.run(["curl", "-sS", family, "-w", "%{http_version} %{ssl_verify_result}", f"https://{name}/"])
    assert done.stdout.startswith(f"This is {name} at ")
    assert done.stdout.endswith("2 0")


def test_http_one_and_plain_http_are_served_too(lab: Lab) -> None:
    one = lab.client.run(["curl", "-sS", "--http1.1", "-w", "%{http_version}", "https://innocent.example/"])
    assert one.stdout.endswith("1.1")
    assert "innocent.example" in lab.client.run(["curl", "-sS", "http://innocent.example/page"]).stdout


def test_names_in_the_policys_lists_are_served(lab: Lab) -> None:
    assert "listed.example" in [site.name for site in lab.sites]
    done = lab.host("web").run(["curl", "-sS", "https://listed.example/"])  # from here not through the box
    assert done.stdout.startswith("This is listed.example")


def test_an_address_without_a_name_gets_the_default_site(lab: Lab) -> None:
    done = lab.client.run(["curl", "-sS", "https://203.0.113.10/"])
    assert done.stdout == "This is the default site at 203.0.113.10.\n"


def test_a_forged_address_leads_to_a_wrong_certificate(lab: Lab) -> None:
    argv = ["curl", "-sS", "--resolve", "innocent.example:443:203.0.113.20", "https://innocent.example/"]
    assert lab.client.run(argv).status == 60  # CURLE_PEER_FAILED_VERIFICATION


def test_the_dns_knows_the_sites_and_nothing_else(lab: Lab) -> None:
    for words, answer in (
        (["blocked.example", "A"], "203.0.113.10"),
        (["blocked.example", "AAAA"], "2001:db8:203::10"),
        (["+tcp", "other.example", "A"], "203.0.113.20"),
    ):
        assert lab.client.run(["dig", "+short", *words]).stdout.strip() == answer
    assert "NXDOMAIN" in lab.client.run(["dig", "wikipedia.org"]).stdout


def test_the_machines_own_name_is_known_without_the_dns(lab: Lab) -> None:
    """Or curl asks for it at its end, and waits for ten seconds where the way to the DNS is a dead tunnel's."""
    asked = "import os, socket; print(socket.gethostbyname(os.uname().nodename))"
    done = lab.client.run([sys.executable, "-I", "-c", asked], timeout=5, env={"RES_OPTIONS": "attempts:1 timeout:1"})
    assert done.stdout.strip() == "127.0.0.1", done.stderr


def test_files_have_their_sizes(lab: Lab) -> None:
    argv = ["curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", "http://other.example/object/100k"]
    assert lab.client.run(argv).stdout == "100000"


def test_python_asks_the_labs_dns_and_trusts_its_authority(lab: Lab) -> None:
    script = "import urllib.request as u; print(u.urlopen('https://innocent.example/').read().decode())"
    env = {"https_proxy": "http://192.0.2.9:1", "SSL_CERT_FILE": "/nowhere.pem"}
    done = lab.client.run([sys.executable, "-c", script], env=env)
    assert "This is innocent.example" in done.stdout, done.stderr


def test_a_command_sees_the_callers_files_and_not_the_hosts_resolver(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("from outside")
    assert lab.client.run(["cat", "note"], cwd=tmp_path).stdout == "from outside"
    assert lab.client.run(["cat", "/etc/resolv.conf"]).stdout == "nameserver 198.51.100.53\n"
    assert "198.51.100.53" not in Path("/etc/resolv.conf").read_text()
    assert lab.client.run(["sh", "-c", "ls /run/systemd /run/nscd /run/dbus 2>/dev/null"]).stdout == ""
    assert not Path("/run/penstock").exists()


def test_facts_say_what_was_used(lab: Lab) -> None:
    facts = lab.facts()
    assert facts["topology"] == "small"
    assert facts["delay_means"] == "none"
    assert facts["offloads"] == "off"
    assert facts["rootless"] == (os.geteuid() != 0)
    assert "nginx" in facts["versions"]["nginx"]
    assert facts["data_plane"]["box"]["data_plane"] == "kernel"
    assert facts["data_plane"]["box"]["conntrack"]["tcp_be_liberal"] == 1


def test_the_box_decides_and_everything_is_written_down(lab: Lab) -> None:
    before = len(lab.decisions())
    assert lab.client.run(["curl", "-sS", "-m", "1", "https://www.blocked.example/"]).status == 28
    decisions = lab.decisions()[before:]
    assert set(decisions["rule"]) == {"sni"}
    assert set(decisions["box"]) == {"box"}
    assert decisions["flow"].iloc[0].startswith("tcp ")
    stats = lab.box_stats()
    assert stats is not None
    assert stats["alive"] is True
    assert stats["packets"] > 0
    for name in ("client.pcap", "server.pcap", "box.pcap"):
        head = (lab.folder / name).read_bytes()[:24]
        assert struct.unpack("=I", head[:4])[0] == 0xA1B23C4D  # pcap in nanoseconds
    assert b"GET / HTTP" not in (lab.folder / "logs" / "nginx-error.log").read_bytes()


def test_the_boxes_of_a_lab_can_be_given_another_policy(policy: Path) -> None:
    with Lab(topology="small") as lab:
        argv = ["curl", "-sS", "-m", "1", "-o", "/dev/null", "-w", "%{http_code}", "https://blocked.example/"]
        assert lab.client.run(argv).stdout == "200"
        assert lab.boxes == ()
        assert lab.box_stats() is None
        lab.set_policy(policy)
        assert lab.client.run(argv).stdout == "000"
        assert lab.box_folder.name == "policy-2"
        assert len(lab.decisions()) > 0
        lab.set_policy(None, folder="free-again")
        assert lab.client.run(argv).stdout == "200"
        assert len(lab.decisions()) == 0
    assert (lab.folder / "policy-2" / "decisions.jsonl").stat().st_size > 0  # readable after the end


def test_two_boxes_may_have_different_policies(policy: Path) -> None:
    with Lab(topology="two-boxes", policy={"box2": policy}) as lab:
        assert lab.boxes == ("box2",)
        lab.client.run(["curl", "-sS", "-m", "1", "https://blocked.example/"])
        assert set(lab.decisions()["box"]) == {"box2"}
