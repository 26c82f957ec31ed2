"""WireGuard."""

from __future__ import annotations

import subprocess
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from testbed.doctor import probe
from testbed.lab import Lab
from testbed.tools import wireguard
from testbed.tools.wireguard import WireGuard
from tests.testbed.tools.living import lives
from tests.testbed.tools.pretended import Pretended


def test_the_kernels_is_used_exactly_where_the_kernel_has_it() -> None:
    tool = WireGuard()
    assert tool.means() == ("kernel" if probe().wireguard else "wireguard-go")
    assert ("wireguard-go" in tool.programs) == (not probe().wireguard)


def test_public_keys_are_those_that_wg_computes() -> None:
    key = X25519PrivateKey.generate()
    private = wireguard._private(key)
    done = subprocess.run(["wg", "pubkey"], input=private.encode(), capture_output=True, check=True)
    assert done.stdout.decode().strip() == wireguard._public(key)
    assert len(b64decode(private)) == 32


def test_in_the_kernel_there_is_no_program_and_the_interface_is_what_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WireGuard, "means", lambda _self: "kernel")
    relay = Pretended(name="relay", ipv4="198.51.100.200")
    serving = WireGuard().serve(relay)
    assert "ip link add wg-relay type wireguard" in relay.scripts()
    assert serving.pids == ()
    assert serving.alive()
    assert relay.asked[-1] == ["ip", "link", "show", "wg-relay"]
    serving.close()
    assert "ip link del wg-relay" in relay.scripts()


@pytest.mark.lab
def test_it_carries_traffic_until_either_end_is_killed_and_leaves_nothing(abroad: Lab) -> None:
    lives(abroad, "wireguard")
