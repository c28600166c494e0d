"""The diagrams of the report: each diagrams/NAME.mmd (Mermaid) becomes an SVG. build.py asks."""

import json
import re
from pathlib import Path

import drawing
from facts import REPORT, Problem

FOLDER = REPORT / "diagrams"
LOOK = FOLDER / "look.json"  # for Mermaid
# Life lines run through the texts: a copy with a white rim beneath each keeps it legible.
MESSAGE = re.compile(r'(<text [^>]*class="messageText"[^>]*style=")(.*?</text>)', re.S)
RIMMED = r"\1stroke: #fff; stroke-width: 5px; \2\1\2"
FRAME = re.compile(r'(?<=height=")(\d+)(?=" class="rect")')  # it ends at the last arrow
FRAME_END = 8  # px
SCALE = 0.18  # mm for a pixel: 16 px are 8.2 pt


def make(name: str, path: Path) -> None:
    """Draw one diagram."""
    import mermaidx  # here: whatever else is in this file works on machines for which there is none

    source = FOLDER / f"{Path(name).name}.mmd"
    look = json.loads(LOOK.read_text("utf-8"))
    try:
        svg = mermaidx.render(source.read_text("utf-8"), config=look).svg()
    except RuntimeError as error:  # its second line shows the place
        raise Problem(f"{source.name}: {' '.join(str(error).splitlines()[:2])}") from None
    sources = [source, LOOK, Path(__file__), Path(drawing.__file__)]
    drawing.save(drawing.on_paper(legible(svg), SCALE), path, sources)


def legible(svg: str) -> str:
    """Return a diagram with its texts and arrows apart from the lines beside them."""
    start, end, body = svg.partition(">")
    body = FRAME.sub(lambda height: str(int(height[0]) + FRAME_END), body)
    return start + end + MESSAGE.sub(RIMMED, body)
