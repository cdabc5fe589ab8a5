"""A network namespace with nothing but a loopback, for this process and all it starts."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1


def leave_for_own_network() -> str:
    """Move this process into a network of its own, its loopback up; what is wrong, if that is not allowed here."""
    if sys.platform != "linux":
        return "only Linux has networks of their own for processes."
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK):
        # Who is not the superuser may where namespaces of users are allowed; it stays who it is.
        if libc.unshare(_NEW_USER | _NEW_NETWORK):
            return (
                f"this machine lets no process have a network of its own ({os.strerror(ctypes.get_errno())})."
            )
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        flags = struct.unpack(
            "16xH", fcntl.ioctl(any_socket, _GET_FLAGS, struct.pack("16sH", b"lo", 0))[:18]
        )[0]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH", b"lo", flags | _UP))
    return ""


def reachable_from_outside() -> bool:
    """Whether this process has any interface but the loopback."""
    return [name for _, name in socket.if_nameindex()] != ["lo"]
