"""Drivers: where packets come from and who carries the decisions out. One I/O library each; no engine logic."""
