"""QUIC and HTTP/3 in virtual time: aioquic without sockets and clocks, between simulated hosts (RFC 9000, 9001, 9114).

`chance` makes its bytes follow from the seed, `end` drives one connection, `server` serves the lab's sites, `fetch`
asks for a page. aioquic takes a third of a second to import, and is imported by the first datagram or request.
"""
