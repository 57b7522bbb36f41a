# SPDX-License-Identifier: GPL-2.0
"""What is read of a capture by tcpdump (Ethernet). Run as a program, with the capture as
argument, it prints the ESP and the plain UDP in it."""
import collections
import socket
import struct
import sys

# sport and dport are of the UDP around it, 0 if there is none
Esp = collections.namedtuple("Esp", "src dst spi seq iv sport dport")
Udp = collections.namedtuple("Udp", "src dst sport dport")

# in this byte order: how many parts a second has
MAGIC = {b"\xd4\xc3\xb2\xa1": 1e6, b"\x4d\x3c\xb2\xa1": 1e9}
ETHERNET = b"\x01\0\0\0"


def frames(file, growing=False):
    """(time, frame) of each packet. GROWING: tcpdump is still writing it, so that the last
    one may be cut short; else that is a ValueError."""
    with open(file, "rb") as f:
        data = f.read()
    if growing and len(data) < 24:
        return
    if data[:4] not in MAGIC or data[20:24] != ETHERNET:
        raise ValueError(f"{file} is not a capture of Ethernet in this machine's byte order")
    second = MAGIC[data[:4]]
    at = 24
    while at < len(data):
        header = data[at : at + 16]
        if len(header) == 16:
            sec, frac, length, _ = struct.unpack("<IIII", header)
        if len(header) < 16 or at + 16 + length > len(data):
            if growing:
                return
            raise ValueError(f"{file} is cut short")
        yield sec + frac / second, data[at + 16 : at + 16 + length]
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
    sport = dport = 0
    if proto == 17 and 4500 in struct.unpack("!HH", payload[:4]):
        sport, dport = struct.unpack("!HH", payload[:4])
        payload = payload[8:]
        if len(payload) < 16 or payload[:4] == bytes(4):
            return None  # a keepalive, or IKE
    elif proto != 50:
        return None
    spi, seq = struct.unpack("!II", payload[:8])
    return Esp(src, dst, spi, seq, payload[8:16], sport, dport)


def udp(frame):
    """addresses and ports of a packet that is plain UDP; or None"""
    found = ip(frame)
    if not found or found[2] != 17:
        return None
    return Udp(found[0], found[1], *struct.unpack("!HH", found[3][:4]))


def main():
    for time, frame in frames(sys.argv[1]):
        print(f"{time:.6f}", esp(frame) or udp(frame) or f"{len(frame)} bytes")


if __name__ == "__main__":
    main()
