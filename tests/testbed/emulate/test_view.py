"""The environment of the lab's commands; what they see of files is tested in `test_laboratory`."""

from __future__ import annotations

from testbed.emulate.view import BUNDLE, environment


def test_a_strangers_environment_does_not_lead_out_of_the_lab() -> None:
    given = {
        "https_proxy": "http://192.0.2.1:3128", "HTTP_PROXY": "x", "ALL_PROXY": "x", "no_proxy": "x",
        "SSL_CERT_FILE": "/elsewhere.pem", "SSL_CERT_DIR": "/elsewhere", "RES_OPTIONS": "x", "HOSTALIASES": "x",
        "LANG": "C", "PATH": "/only/mine",
    }  # fmt: skip
    seen = environment(given, "/bin:/sbin")
    assert seen["SSL_CERT_FILE"] == seen["CURL_CA_BUNDLE"] == str(BUNDLE)
    assert seen["LANG"] == "C"
    assert seen["PATH"] == "/bin:/sbin"
    assert not {name for name in seen if "proxy" in name.lower()}
    assert not {"SSL_CERT_DIR", "RES_OPTIONS", "HOSTALIASES"} & set(seen)
