# SPDX-License-Identifier: GPL-2.0
"""SAs, as `ip -s xfrm state` prints them. Run as a program it prints those of stdin, a
line each."""
import collections
import re
import sys

# spi, seq and oseq are numbers (seq and oseq with their upper half); encap is None or
# (type, source port, destination port); keys are the lines with algorithms and keys;
# dir is "in", "out" or ""; packets and added are as the lifetime counts them, 0 and ""
# without -s; text is all of it
Sa = collections.namedtuple("Sa", "src dst proto spi encap keys dir seq oseq packets added text")


def number(pattern, text):
    found = re.search(pattern, text, re.M)
    return int(found[1], 0) if found else 0


def parse(output):
    return [sa(text) for text in re.split(r"^(?=src )", output, flags=re.M)[1:]]


def sa(text):
    src, dst = re.match(r"src (\S+) dst (\S+)", text).groups()
    proto = re.search(r"^\s+proto (\S+) spi", text, re.M)
    encap = re.search(r"^\s+encap type (\S+) sport (\d+) dport (\d+)", text, re.M)
    direction = re.search(r"^\s+dir (\S+)", text, re.M)
    # of all that is behind it only the counters begin with a word like that
    replay = text.partition("anti-replay")[2].partition("lifetime")[0]
    added = re.search(r"^\s+add (\d\S+ \S+)", text, re.M)
    return Sa(
        src, dst, proto[1] if proto else "", number(r"\bspi (0x\w+)", text),
        (encap[1], int(encap[2]), int(encap[3])) if encap else None,
        re.findall(r"^\s+((?:auth|auth-trunc|enc|aead|comp) .*)", text, re.M),
        direction[1] if direction else "",
        (number(r"\bseq-hi (0x\w+)", replay) << 32) + number(r"\bseq (0x\w+)", replay),
        (number(r"\boseq-hi (0x\w+)", replay) << 32) + number(r"\boseq (0x\w+)", replay),
        number(r"^\s+\d+\(bytes\), (\d+)\(packets\)", text),
        added[1] if added else "",
        text,
    )


def main():
    for state in parse(sys.stdin.read()):
        print("; ".join(f"{name} {value}" for name, value in zip(Sa._fields[:-1], state)))


if __name__ == "__main__":
    main()
