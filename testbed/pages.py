"""What the lab's sites say, emulated or simulated, and whether a page is the one that was asked for.

Texts only; who serves them is the business of the two networks.
"""

from __future__ import annotations

import re
from random import Random

from testbed import failure

#: name of a file to download -> its size in bytes (kB = 1000)
OBJECTS = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1M": 1_000_000, "10M": 10_000_000}
#: a page of the size of an article
_PAGE_BYTES = 20_000


def noise() -> bytes:
    """The content of the files to download, which begin alike: no compression, no pattern."""
    return Random(1).randbytes(max(OBJECTS.values()) // 10) * 10


def page(name: str) -> str:
    """An HTML page of about 20 kB that says where it is from."""
    sentence = f"<p>This page is from {name}, and this is one of its paragraphs.</p>\n"
    head = f"<!DOCTYPE html>\n<html><head><title>{name}</title></head><body>\n<h1>{name}</h1>\n"
    return head + sentence * (_PAGE_BYTES // len(sentence)) + "</body></html>\n"


def wrong_page(host: str, status: int, body: str) -> str:
    """The failure that a page is which the asked host did not send; "" for the right one.

    The lab's pages name their host. Whole names are compared: `notblocked.example` does not name `blocked.example`.
    """
    if 300 <= status < 400:
        return failure.HTTP_REDIRECT
    if status != 200:
        return failure.HTTP_STATUS
    if re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)", body):
        return ""
    return failure.unknown("the page is not that of the asked host")
