"""Keys and certificates, read back by other programs than those that made them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from testbed.emulate.trust import Authority
from testbed.tools import keys


def test_a_certificate_is_good_for_both_ends(tmp_path: Path) -> None:
    authority = Authority.make()
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    (tmp_path / "own.pem").write_bytes(keys.identity(authority, "vpn.example").certificate)
    for purpose in ("sslserver", "sslclient"):
        words = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-verify_hostname", "vpn.example"]
        done = subprocess.run([*words, "-CAfile", "ca.pem", "own.pem"], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_ssh_reads_the_key_and_finds_the_same_public_half(tmp_path: Path) -> None:
    private, line = keys.ssh_key()
    path = tmp_path / "key"
    path.write_bytes(private)
    path.chmod(0o600)
    done = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, check=True)
    assert done.stdout.split()[:2] == line.split()[:2]


def test_a_static_key_has_the_form_of_openvpns(tmp_path: Path) -> None:
    subprocess.run(["/usr/sbin/openvpn", "--genkey", "secret", tmp_path / "theirs"], check=True)
    theirs = [line for line in (tmp_path / "theirs").read_text().splitlines() if not line.startswith("#")]
    ours = keys.openvpn_static_key().splitlines()
    assert (len(ours), ours[0], ours[-1]) == (len(theirs), theirs[0], theirs[-1])
    assert all(len(line) == 32 and int(line, 16) >= 0 for line in ours[1:-1])


def test_no_two_passwords_are_the_same() -> None:
    assert len({keys.password() for _ in range(100)}) == 100
