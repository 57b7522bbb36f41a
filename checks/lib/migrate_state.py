# SPDX-License-Identifier: GPL-2.0
"""XFRM_MSG_MIGRATE_STATE by hand: what a kernel answers to it."""
import errno
import socket
import struct

NETLINK_XFRM, NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 6, 1, 4, 2
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
XFRM_MSG_MIGRATE_STATE = 41
SIZE = 132  # of struct xfrm_user_migrate_state


def request(body):
    """error number and text of the kernel's answer"""
    assert len(body) == SIZE
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM)
    for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
        sock.setsockopt(SOL_NETLINK, option, 1)
    sock.send(struct.pack("=IHHII", 16 + SIZE, XFRM_MSG_MIGRATE_STATE, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
    answer = sock.recv(4096)
    kind, = struct.unpack_from("=H", answer, 4)
    assert kind == NLMSG_ERROR, kind
    error, = struct.unpack_from("=i", answer, 16)
    # the first attribute, if any, is the text
    return -error, answer[40:].split(b"\0")[0].decode("latin1")


def probe(new_family=socket.AF_INET):
    """The documented probe: SPI 1, new_family AF_INET, everything else 0"""
    body = bytearray(SIZE)
    struct.pack_into("!I", body, 16, 1)             # id.spi
    struct.pack_into("=H", body, 128, new_family)   # new_family
    return request(body)


def migrate(spi, dst, new_dst, new_src, new_family=socket.AF_INET, sel_family=0):
    """Moves the ESP SA of IPv4 address DST. Addresses are in network order."""
    body = struct.pack("=16s4sHBx", dst, struct.pack("!I", spi), socket.AF_INET, socket.IPPROTO_ESP)    # id
    body += new_dst.ljust(16, b"\0") + new_src.ljust(16, b"\0")
    body += struct.pack("=II", 0, 0)                            # old_mark
    body += struct.pack("=40xH14x", sel_family)                 # new_sel
    body += struct.pack("=IIHH", 0, 0, new_family, 0)           # new_reqid, flags, new_family, reserved
    return request(body)


def name(error):
    return errno.errorcode.get(error, str(error))
