"""Switch the offloads of a network interface, as `ethtool -K` does, without a process for each.

Works on interfaces of this process's own network namespace only.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946  # linux/sockios.h
#: what `ethtool -K` calls it -> (command that reads it, command that sets it), linux/ethtool.h
_COMMANDS = {
    "rx": (0x14, 0x15),
    "tx": (0x16, 0x17),
    "sg": (0x18, 0x19),
    "tso": (0x1E, 0x1F),
    "gso": (0x23, 0x24),
    "gro": (0x2B, 0x2C),
}
#: order matters: segmentation offload cannot stay on without scatter-gather, nor that without checksums
_OFF_ORDER = ("tso", "gso", "gro", "sg", "tx", "rx")


def _ask(control: socket.socket, interface: str, command: int, value: int) -> int:
    buffer = ctypes.create_string_buffer(struct.pack("II", command, value), 8)
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(buffer))
    fcntl.ioctl(control, _SIOCETHTOOL, request)
    answer: int = struct.unpack("II", buffer.raw)[1]
    return answer


def switch(interface: str, on: bool) -> None:
    """Switch all offloads of an interface on or off; raises OSError if the kernel refuses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for name in _OFF_ORDER if not on else reversed(_OFF_ORDER):
            _ask(control, interface, _COMMANDS[name][1], int(on))


def state(interface: str) -> dict[str, bool]:
    """Which offloads are on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        return {name: bool(_ask(control, interface, get, 0)) for name, (get, _) in _COMMANDS.items()}
