"""The diagrams of the report: each diagrams/NAME.mmd (Mermaid) becomes an SVG. build.py asks."""

import re
from pathlib import Path

import drawing
from facts import REPORT, Problem

FOLDER = REPORT / "diagrams"
# Life lines run through the texts: a copy with a white rim beneath each keeps it legible.
MESSAGE = re.compile(r'(<text [^>]*class="messageText"[^>]*style=")(.*?</text>)', re.S)
RIMMED = r"\1stroke: #fff; stroke-width: 5px; \2\1\2"
FRAME = re.compile(r'(?<=height=")(\d+)(?=" class="rect")')  # it ends at the last arrow
FRAME_END = 8  # px
SCALE = 0.18  # mm for a pixel: 16 px are 8.2 pt
LOOK = {
    "fontFamily": "DejaVu Sans, Verdana, sans-serif",
    "theme": "base",
    "themeVariables": {
        "fontSize": "16px",
        "primaryColor": "#ececec",
        "primaryBorderColor": "#444",
        "primaryTextColor": "#000",
        "lineColor": "#222",
        "textColor": "#000",
        "actorLineColor": "#777",
        "signalColor": "#000",
        "noteBkgColor": "#fff",
        "noteBorderColor": "#777",
        "noteTextColor": "#000",
    },
    "sequence": {
        "mirrorActors": False,
        "height": 40,
        "width": 110,
        "actorMargin": 30,
        "boxMargin": 4,
        "boxTextMargin": 4,
        "messageMargin": 24,
        "noteMargin": 5,
        "diagramMarginX": 2,
        "diagramMarginY": 12,
    },
}


def make(name: str, path: Path) -> None:
    """Draw one diagram."""
    import mermaidx  # here: whatever else is in this file works on machines for which there is none

    source = FOLDER / f"{Path(name).name}.mmd"
    try:
        svg = mermaidx.render(source.read_text("utf-8"), config=LOOK).svg()
    except RuntimeError as error:  # its second line shows the place
        raise Problem(f"{source.name}: {' '.join(str(error).splitlines()[:2])}") from None
    sources = [source, Path(__file__), Path(drawing.__file__)]
    drawing.save(drawing.on_paper(legible(svg), SCALE), path, sources)


def legible(svg: str) -> str:
    """Return a diagram with its texts and arrows apart from the lines beside them."""
    start, end, body = svg.partition(">")
    body = FRAME.sub(lambda height: str(int(height[0]) + FRAME_END), body)
    return start + end + MESSAGE.sub(RIMMED, body)
