"""Draws a diagram from its text (Mermaid). build.py and the guides show what it has drawn."""

import json
import re
from pathlib import Path

from facts import REPORT, Problem

DIAGRAMS = REPORT / "diagrams"
LOOK = DIAGRAMS / "look.json"  # for Mermaid
SCALE = 0.18  # mm for a unit: letters of 16 px are 8.2 pt
# Life lines run through the texts: a copy with a white rim beneath each keeps it legible.
MESSAGE = re.compile(r'(<text [^>]*class="messageText"[^>]*style=")(.*?</text>)', re.S)
RIMMED = r"\1stroke: #fff; stroke-width: 5px; \2\1\2"


def diagram(source: Path, path: Path) -> None:
    """Draw a diagram; a frame in it ends 8 px behind the last arrow, not at it."""
    import mermaidx  # here: the rest of the report works on machines for which there is none

    look = json.loads(LOOK.read_text("utf-8"))
    try:
        svg = mermaidx.render(source.read_text("utf-8"), config=look).svg()
    except RuntimeError as error:  # its second line shows the place
        raise Problem(f"{source.name}: {' '.join(str(error).splitlines()[:2])}") from None
    svg = re.sub(r'(?<=height=")\d+(?=" class="rect")', lambda found: str(int(found[0]) + 8), svg)
    start, _, body = MESSAGE.sub(RIMMED, svg).partition(">")
    x, y, *size = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', start).groups()
    width, height = (f"{float(length) * SCALE:.2f}mm" for length in size)
    start = re.sub(r' (?:width|height|style)="[^"]*"', "", start)
    white = f'<rect x="{x}" y="{y}" width="100%" height="100%" fill="#fff"/>'  # on a dark page, too
    svg = f'{start} width="{width}" height="{height}">{white}{body}\n'
    path.write_text(svg, "utf-8", newline="\n")
