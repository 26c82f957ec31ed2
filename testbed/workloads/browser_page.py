"""Fetch one page with a browser's ClientHello and report like `curl --write-out '\\n%{json}'`.

A program of its own, run on a lab host: `browser_page.py URL BROWSER FAMILY LIMIT [SOURCE [PROXY]]`. It imports
nothing of this project, so that it runs wherever the interpreter does.
"""

from __future__ import annotations

import io
import json
import os
import sys
from datetime import datetime

from curl_cffi import Curl, CurlError, CurlInfo, CurlOpt

#: the fields of curl's own report that are used, and where libcurl keeps them
_REPORT = {
    "http_code": CurlInfo.RESPONSE_CODE,
    "size_download": CurlInfo.SIZE_DOWNLOAD_T,
    "time_namelookup": CurlInfo.NAMELOOKUP_TIME,
    "time_connect": CurlInfo.CONNECT_TIME,
    "time_appconnect": CurlInfo.APPCONNECT_TIME,
    "time_starttransfer": CurlInfo.STARTTRANSFER_TIME,
    "time_total": CurlInfo.TOTAL_TIME,
    "remote_ip": CurlInfo.PRIMARY_IP,
}


def main(url: str, browser: str, family: str, limit: str, source: str = "", proxy: str = "") -> int:
    """Print the page and a line of JSON; the exit status is libcurl's code."""
    curl = Curl()
    body, log = io.BytesIO(), io.BytesIO()
    curl.impersonate(browser)
    curl.setopt(CurlOpt.URL, url.encode())
    # CURL_IPRESOLVE_V6 and CURL_IPRESOLVE_V4
    curl.setopt(CurlOpt.IPRESOLVE, 2 if family == "6" else 1)
    curl.setopt(CurlOpt.TIMEOUT_MS, int(float(limit) * 1000))
    curl.setopt(CurlOpt.CONNECTTIMEOUT_MS, int(float(limit) * 1000))
    if proxy:
        curl.setopt(CurlOpt.PROXY, proxy.encode())
    else:
        curl.setopt(CurlOpt.NOPROXY, b"*")
    curl.setopt(CurlOpt.WRITEDATA, body)
    curl.setopt(CurlOpt.VERBOSE, 1)
    curl.setopt(CurlOpt.DEBUGFUNCTION, lambda kind, data: log.write(_clock() + data) if kind == 0 else None)
    authorities = os.environ.get("CURL_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if authorities:  # else the library's own list, which does not know a lab's authority
        curl.setopt(CurlOpt.CAINFO, authorities.encode())
    if source:
        curl.setopt(CurlOpt.INTERFACE, f"host!{source}".encode())
    code, text = 0, ""
    try:
        curl.perform()
    except CurlError as error:
        code, text = int(error.code), _words(str(error))
    report: dict[str, object] = {"exitcode": code, "errormsg": text}
    for name, info in _REPORT.items():
        value = curl.getinfo(info)
        report[name] = value.decode() if isinstance(value, bytes) else value
    sys.stderr.write(log.getvalue().decode(errors="replace"))
    sys.stdout.write(body.getvalue().decode(errors="replace") + "\n" + json.dumps(report))
    curl.close()
    return code


def _clock() -> bytes:
    """What `curl --verbose --trace-time` writes before each line of its log."""
    return f"{datetime.now():%H:%M:%S.%f} * ".encode()


def _words(text: str) -> str:
    """libcurl's own words out of the sentence that curl_cffi puts around them."""
    return text.rpartition("curl: (")[2].partition(") ")[2].partition(". See https://")[0] or text


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
