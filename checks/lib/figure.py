# SPDX-License-Identifier: GPL-2.0
"""What the figures in results/ share: their data, fonts and colours.

A figure has one message, which is its title. It is an SVG file whose colours follow the
reader's choice of a light or a dark page. Letters are outlines, so that no font of the
reader's moves them. The same data gives the same file, byte for byte.
"""
import os
import re

import matplotlib

import page

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

# name: on a light page, on a dark one. No two names share a light colour.
COLOURS = {
    "paper": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#e6edf3"),
    "muted": ("#59636e", "#9da7b1"),
    "grid": ("#d8dee4", "#30363d"),
    "blue": ("#0969da", "#58a6ff"),
    "orange": ("#bc4c00", "#f0883e"),
    "grey": ("#8c959f", "#768390"),
    "red": ("#cf222e", "#ff7b72"),
}
paper, ink, muted, grid, blue, orange, grey, red = (light for light, _ in COLOURS.values())

plt.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 9.5,
    "text.color": ink, "axes.labelcolor": muted, "axes.edgecolor": grid, "axes.titlecolor": ink,
    "xtick.color": grid, "ytick.color": grid, "xtick.labelcolor": muted, "ytick.labelcolor": ink,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "grid.color": grid, "grid.linewidth": 0.7,
    "figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper,
    "svg.fonttype": "path", "svg.hashsalt": "xfrm", "path.simplify": False,
})
WIDTH = 8.6  # inches of 72 points: what a README shows without scaling


def tables(path):
    """page.tables() with rows that are dicts"""
    return {name: [dict(zip(rows[0], row)) for row in rows[1:]] for name, rows in page.tables(path).items()}


def start(title, subtitle, height, rows=1, columns=1, **kwargs):
    """A figure with its title: (figure, axes)"""
    fig, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), **kwargs)
    fig.text(0.012, 1 - 0.14 / height, title, size=12.5, weight="bold", va="top")
    fig.text(0.012, 1 - 0.40 / height, subtitle, size=9.5, color=muted, va="top", linespacing=1.35)
    return fig, axes


def save(fig, path):
    """Writes the SVG file; fails if something is not wholly inside the picture."""
    fig.canvas.draw()
    drawn, (width, height) = fig.get_tightbbox(fig.canvas.get_renderer()), fig.get_size_inches()
    if drawn.x0 < 0 or drawn.y0 < 0 or drawn.x1 > width or drawn.y1 > height:
        raise SystemExit(f"{path}: what is drawn, {drawn.extents.round(2)}, is larger than {width} x {height} inches")
    fig.savefig(path + ".new", format="svg", metadata={"Date": None, "Creator": None})
    with open(path + ".new", encoding="utf-8") as file:
        svg = file.read()
    dark = "".join(
        f'[style*="{what}: {light}"]{{{what}:{on_dark}!important}}\n'
        for light, on_dark in COLOURS.values() for what in ("fill", "stroke"))
    svg, count = re.subn(
        r"</style>", f"@media (prefers-color-scheme: dark) {{\n{dark}}}\n</style>", svg, count=1)
    if count != 1:
        raise SystemExit(f"{path}: this matplotlib writes no <style> for the dark colours")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(re.sub(r"[ \t]+$", "", svg, flags=re.M))
    os.replace(path + ".new", path)
    plt.close(fig)
