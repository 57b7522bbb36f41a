# SPDX-License-Identifier: GPL-2.0
"""What the pages and figures in results/ share: their data, and paragraphs."""
import csv
import os
import textwrap


def pin(name):
    """The value of NAME in base.mk"""
    base = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../base.mk")
    with open(base, encoding="utf-8") as file:
        return next(line.partition("=")[2].strip() for line in file if line.startswith(name + "="))


def tables(path):
    """{name: rows} of a file whose lines are a table's name and a row of it, with tabs
    between; the first row of a table has the names of its columns. Rows are lists."""
    found = {}
    with open(path, encoding="utf-8", newline="") as file:
        for name, *cells in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            found.setdefault(name, []).append(cells)
    return found


def paragraph(words, indent=""):
    """Its lines, and an empty one"""
    return textwrap.wrap(words, 80, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) + [""]


def write(name, text):
    """a page from its lines"""
    with open(name, "w", encoding="utf-8") as file:
        file.write("\n".join(text).rstrip() + "\n\n<!-- SPDX-License-Identifier: GPL-2.0 -->\n")
