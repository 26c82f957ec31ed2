"""VPNs and proxies in virtual time."""
