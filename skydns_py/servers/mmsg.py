"""Many packets per system call: `recvmmsg` and `sendmmsg` over one block of memory.

Each slot of the block has room for a packet, the address it came from and the address it was sent
to.
An answer is written over its question, and the very header that received the one sends the other:
addresses are never copied, parsed or built.
This module never decides what is answered, and never waits: every call is MSG_DONTWAIT.
"""

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skydns_py.servers.bind import is_wildcard

SLOT = 4096
"""Bytes of a slot, the size RFC 6891 6.2.5 recommends. A packet that fills one is too long."""

_NAME = 32
"""Bytes for an address: `sockaddr_in6` has 28."""

_CONTROL = 64
"""Bytes for control data: a `cmsghdr` with an `in6_pktinfo` has 40."""

_CMSG = struct.Struct("@Nii")
"""`cmsghdr`: its length with the data, the level and the type; the data follows."""


@dataclass(frozen=True)
class Calls:
    """The two system calls: descriptor, address of the first header, how many, flags, a timeout.

    Each returns the number of packets done, or -1 with `ctypes.get_errno()` set.
    """

    recvmmsg: Callable[[int, int, int, int, None], int]
    sendmmsg: Callable[[int, int, int, int], int]


def load_calls() -> Calls | None:
    """Return the C library's calls; None when this is not Linux, or a system call filter forbids.

    PyDLL keeps the interpreter's lock during a call: these do not wait, while getting the lock back
    from a busy thread may take its whole switch interval of 5 ms, twice a batch.
    """
    try:
        libc = ctypes.PyDLL(None, use_errno=True)
        recvmmsg, sendmmsg = libc.recvmmsg, libc.sendmmsg
    except (AttributeError, OSError):
        return None
    sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    recvmmsg.argtypes = (*sendmmsg.argtypes, ctypes.c_void_p)
    # A descriptor that cannot be is refused as such, unless the call itself is refused.
    recvmmsg(-1, None, 0, 0, None)
    return Calls(recvmmsg, sendmmsg) if ctypes.get_errno() == errno.EBADF else None


class PacketBlock:
    """A bound socket's packets, `size` at a time, received and answered in place.

    `memory` holds the packets, slot `i` from `i * SLOT` on; slices of it are `bytes`.
    `sizes` are the bytes to send from each slot, to be set before `send`.
    """

    def __init__(self, sock: socket.socket, calls: Calls, size: int) -> None:
        self._fd = sock.fileno()
        self._calls = calls
        self._size = size
        self._family = sock.family
        # In a row: packets, addresses, control data, headers, and the vectors of the headers.
        self._names = size * SLOT
        self._controls = self._names + size * _NAME
        self._headers = self._controls + size * _CONTROL
        self._vectors = self._headers + size * _HEADER
        self.memory = mmap.mmap(-1, self._vectors + size * _VECTOR)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self._has_control = is_wildcard(sock)
        self._fill_headers()
        self._pristine = self.memory[self._headers :]
        self._open_columns()

    def receive(self) -> int:
        """Take what waits in the socket, at most a block; return how many packets, 0 for none.

        Raises:
            OSError: the socket is broken, or an error about an earlier answer came back.
        """
        # Sending and receiving write into the headers, so they are new each time: 5 kB, 0.1 µs.
        self.memory[self._headers :] = self._pristine
        start = self._base + self._headers
        count = self._calls.recvmmsg(self._fd, start, self._size, socket.MSG_DONTWAIT, None)
        if count < 0:
            error = _last_error()
            if isinstance(error, BlockingIOError):
                return 0
            raise error
        # The answer leaves from the address asked, but by the way the routes say: with the
        # interface left in, it would go out where the question came in.
        self._interfaces[:] = self._no_interfaces
        return count

    def lengths(self, count: int) -> list[int]:
        """Return the lengths of the packets received; SLOT means that one was that or longer."""
        return self._lengths[:count].tolist()

    def send(self, first: int, last: int) -> int:
        """Send slots `first` up to `last` to where they came from; return how many were sent.

        Raises:
            OSError: slot `first` could not be sent; those behind it were not tried.
        """
        start = self._base + self._headers + first * _HEADER
        count = self._calls.sendmmsg(self._fd, start, last - first, socket.MSG_DONTWAIT)
        if count < 0:
            raise _last_error()
        return count

    def address(self, slot: int) -> tuple[Any, ...]:
        """Return the sender of the packet in a slot, as Python's sockets name it."""
        at = self._names + slot * _NAME
        name = self.memory[at : at + _NAME]
        port = int.from_bytes(name[2:4], "big")
        if self._family == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, name[4:8]), port
        flow, scope = int.from_bytes(name[4:8], "big"), int.from_bytes(name[24:28], sys.byteorder)
        return socket.inet_ntop(socket.AF_INET6, name[8:24]), port, flow, scope

    def control(self, slot: int) -> list[tuple[int, int, bytes]]:
        """Return the control data of a slot, as `socket.sendmsg` takes it."""
        if not self._has_control:
            return []
        at = self._controls + slot * _CONTROL
        raw = self.memory[at : at + _CONTROL]
        length, level, kind = _CMSG.unpack_from(raw)
        return [(level, kind, raw[_CMSG.size : length])]

    def _fill_headers(self) -> None:
        headers = (_MMsgHdr * self._size).from_buffer(self.memory, self._headers)
        vectors = (_IoVec * self._size).from_buffer(self.memory, self._vectors)
        is_v6 = self._family == socket.AF_INET6
        for slot in range(self._size):
            vectors[slot] = _IoVec(self._base + slot * SLOT, SLOT)
            header = headers[slot].msg_hdr
            header.msg_name = self._base + self._names + slot * _NAME
            header.msg_namelen = 28 if is_v6 else 16
            header.msg_iov = self._base + self._vectors + slot * _VECTOR
            header.msg_iovlen = 1
            if self._has_control:
                header.msg_control = self._base + self._controls + slot * _CONTROL
                header.msg_controllen = socket.CMSG_SPACE(20 if is_v6 else 12)

    def _open_columns(self) -> None:
        """Open the fields that are touched per packet as columns: one C call reads or sets all."""
        view = memoryview(self.memory)
        headers = view[self._headers : self._vectors].cast("I")
        self._lengths = headers[_MMsgHdr.msg_len.offset // 4 :: _HEADER // 4]
        self.sizes = view[self._vectors :].cast("L")[1::2]
        controls = view[self._controls : self._headers].cast("I")
        # `ipi_ifindex` comes first in an `in_pktinfo`, behind the address in an `in6_pktinfo`.
        at = _CMSG.size + (16 if self._family == socket.AF_INET6 else 0)
        self._interfaces = controls[at // 4 :: _CONTROL // 4]
        self._no_interfaces = memoryview(bytes(4 * self._size)).cast("I")


class _IoVec(ctypes.Structure):
    _fields_ = (("iov_base", ctypes.c_void_p), ("iov_len", ctypes.c_size_t))


class _MsgHdr(ctypes.Structure):
    _fields_ = (
        ("msg_name", ctypes.c_void_p),
        ("msg_namelen", ctypes.c_uint32),
        ("msg_iov", ctypes.c_void_p),
        ("msg_iovlen", ctypes.c_size_t),
        ("msg_control", ctypes.c_void_p),
        ("msg_controllen", ctypes.c_size_t),
        ("msg_flags", ctypes.c_int),
    )


class _MMsgHdr(ctypes.Structure):
    _fields_ = (("msg_hdr", _MsgHdr), ("msg_len", ctypes.c_uint32))


_HEADER = ctypes.sizeof(_MMsgHdr)
_VECTOR = ctypes.sizeof(_IoVec)


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
