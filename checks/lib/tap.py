# SPDX-License-Identifier: GPL-2.0
"""TAP on stdout, as lab/lib-tap.sh writes it in shell. Begin with start(), end with the exit
status that plan() returns."""

number = failed = 0


def start():
    print("TAP version 13")


def result(good, name, comments=()):
    """COMMENTS are lines that say why it failed."""
    global number, failed
    number += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    for line in () if good else comments:
        print(f"# {line}")


def plan():
    print(f"1..{number}", flush=True)
    return 1 if failed else 0
