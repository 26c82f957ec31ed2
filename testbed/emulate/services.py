"""The lab's servers: what dnsmasq and nginx are told.

Makes configuration and pages; starts nothing (`holder` does). Each site has its own certificate and is served at its
own address only, so that a forged address leads to the wrong certificate or to nobody, as it would outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testbed.emulate.trust import Authority
from testbed.pages import OBJECTS, noise, page
from testbed.sites import Site

_NGINX = """\
daemon off;
user root;  # the only user there is in the lab
worker_processes 1;
pid {home}/nginx.pid;
error_log {logs}/nginx-error.log notice;
events {{ worker_connections 4096; }}
http {{
  types {{ text/html html; application/octet-stream bin; }}
  default_type application/octet-stream;
  log_format penstock '$msec $remote_addr $remote_port $server_addr $scheme $ssl_server_name $host '
                      '"$request" $status $body_bytes_sent $request_time';
  access_log {logs}/nginx-access.log penstock;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  sendfile on;
  server_names_hash_bucket_size 256;
  client_max_body_size 100m;
  keepalive_requests 100000;
  ssl_certificate_key {home}/site.key;
  ssl_protocols TLSv1.2 TLSv1.3;
  # what /upload hands a body to: only when all of it has been read, since nginx passes on whole requests
  server {{
    listen unix:{home}/received.sock;
    access_log off;
    location / {{ default_type text/plain; return 200 "received $content_length\\n"; }}
  }}
{servers}
}}
"""

_SERVER = """\
  server {{
{listens}
    server_name {name};
    ssl_certificate {home}/{certificate}.pem;
    location = / {{ default_type text/plain; return 200 "{text}\\n"; }}
    location = /page {{ default_type text/html; alias {home}/{certificate}.html; }}
    location /object/ {{ alias {home}/object/; add_header X-From $remote_addr; }}
    location = /where {{ default_type text/plain; return 200 "$remote_addr\\n"; }}
    location = /upload {{ proxy_pass http://unix:{home}/received.sock; }}
  }}
"""


def _listens(addresses: Sequence[str], extra: str) -> str:
    lines = []
    for address in addresses:
        where = f"[{address}]" if ":" in address else address
        lines += [f"    listen {where}:80{extra};", f"    listen {where}:443 ssl http2{extra};"]
    return "\n".join(lines)


def write_web(home: Path, logs: Path, sites: Sequence[Site], authority: Authority, *, ipv6: bool) -> Path:
    """Write certificates, pages and configuration of nginx; return the configuration's path."""
    home.mkdir()
    (home / "site.key").write_bytes(authority.site_key_pem())
    servers = []
    addresses: dict[str, list[str]] = {}
    for site in sites:
        addresses[site.ipv4] = [site.ipv4, site.ipv6] if ipv6 else [site.ipv4]
    for first, both in addresses.items():
        # who names no site, or one that does not live here, meets this one
        (home / f"{first}.pem").write_bytes(authority.certify([], both))
        (home / f"{first}.html").write_text(page(f"the default site at {first}"))
        # HTTP/3 is served with one certificate an address (`workloads/h3_server.py`)
        here = [site.name for site in sites if site.ipv4 == first]
        (home / f"{first}.quic.pem").write_bytes(authority.certify(here, both))
        servers.append(
            _SERVER.format(
                listens=_listens(both, " default_server"),
                name="_",
                home=home,
                certificate=first,
                text="This is the default site at $server_addr.",
            )
        )
    for site in sites:
        (home / f"{site.name}.pem").write_bytes(authority.certify([site.name]))
        (home / f"{site.name}.html").write_text(page(site.name))
        servers.append(
            _SERVER.format(
                listens=_listens(addresses[site.ipv4], ""),
                name=site.name,
                home=home,
                certificate=site.name,
                text=f"This is {site.name} at $server_addr.",
            )
        )
    (home / "object").mkdir()
    content = noise()
    for name, size in OBJECTS.items():
        (home / "object" / name).write_bytes(content[:size])
    path = home / "nginx.conf"
    path.write_text(_NGINX.format(home=home, logs=logs, servers="".join(servers)))
    return path


def dns_arguments(home: Path, sites: Sequence[Site], *, ipv6: bool) -> list[str]:
    """The command line of dnsmasq after its name: it answers for the sites and for nothing else."""
    home.mkdir()
    records = home / "dnsmasq.conf"
    lines = ["no-hosts", "no-resolv", "local=/#/", "cache-size=0", "local-ttl=60", "log-queries=extra"]
    lines += [f"host-record={site.name},{site.ipv4}" + (f",{site.ipv6}" if ipv6 else "") for site in sites]
    records.write_text("\n".join(lines) + "\n")
    return [
        "--keep-in-foreground",
        "--user=",  # stay who we are: with a user or a group it calls setgroups, which a user namespace forbids
        "--group=",
        f"--conf-file={records}",
        "--pid-file=",
        "--log-facility=-",
        "--port=53",
    ]
