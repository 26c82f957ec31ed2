"""One lab for all tests that only look: six nodes, a policy that drops, captures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.lab import Lab

POLICY = """
name: drops-one-name
about: a policy for tests of the lab
lists:
  banned: [blocked.example, listed.example]
rules:
  - name: sni
    match: {tls.sni: {under: banned}}
    action: {drop: flow}
"""


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, policy: Path) -> Iterator[Lab]:
    out = tmp_path_factory.mktemp("run")
    with Lab(policy=policy, topology="small", sites=["extra.example"], out=out) as lab:
        yield lab
