# SPDX-License-Identifier: GPL-2.0
"""What replay and report read of a tcpdump capture (Ethernet)."""
import collections
import socket
import struct

Esp = collections.namedtuple("Esp", "src dst spi seq iv")
Udp = collections.namedtuple("Udp", "src dst sport dport")


def frames(file):
    """(time, frame) of each packet"""
    with open(file, "rb") as f:
        data = f.read()
    nano = data[:4] == b"\x4d\x3c\xb2\xa1"
    at = 24
    while at + 16 <= len(data):
        sec, frac, length, _ = struct.unpack_from("<IIII", data, at)
        if at + 16 + length > len(data):
            break  # tcpdump is still writing it
        yield sec + frac / (1e9 if nano else 1e6), data[at + 16 : at + 16 + length]
        at += 16 + length


def ip(frame):
    """source, destination, protocol, payload; None if it is not IP"""
    kind = frame[12:14]
    if kind == b"\x08\x00":
        return (
            socket.inet_ntop(socket.AF_INET, frame[26:30]),
            socket.inet_ntop(socket.AF_INET, frame[30:34]),
            frame[23],
            frame[14 + (frame[14] & 15) * 4 :],
        )
    if kind == b"\x86\xdd":
        return (
            socket.inet_ntop(socket.AF_INET6, frame[22:38]),
            socket.inet_ntop(socket.AF_INET6, frame[38:54]),
            frame[20],
            frame[54:],
        )
    return None


def esp(frame):
    """the ESP packet in it, also one that is in UDP; or None"""
    found = ip(frame)
    if not found:
        return None
    src, dst, proto, payload = found
    if proto == 17 and 4500 in struct.unpack("!HH", payload[:4]):
        payload = payload[8:]
        if len(payload) < 16 or payload[:4] == bytes(4):
            return None  # a keepalive, or IKE
    elif proto != 50:
        return None
    spi, seq = struct.unpack("!II", payload[:8])
    return Esp(src, dst, spi, seq, payload[8:16])


def udp(frame):
    """addresses and ports of a packet that is plain UDP; or None"""
    found = ip(frame)
    if not found or found[2] != 17:
        return None
    return Udp(found[0], found[1], *struct.unpack("!HH", found[3][:4]))
