"""The diagrams of the report: each diagrams/NAME.mmd (Mermaid) becomes an SVG and a PNG.

Run:  python report/diagrams.py [NAME ...]
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "steps"))

import facts
from tools import entry

try:
    import drawing
except ModuleNotFoundError as error:
    sys.exit(facts.missing("diagrams", error))

FOLDER = Path(__file__).resolve().parent / "diagrams"
# Life lines run through the texts: a copy with a white rim beneath each keeps it legible.
MESSAGE = re.compile(r'(<text [^>]*class="messageText"[^>]*style=")(.*?</text>)', re.S)
RIMMED = r"\1stroke: #fff; stroke-width: 5px; \2\1\2"
FRAME = re.compile(r'(?<=height=")(\d+)(?=" class="rect")')  # it ends at the last arrow
PAPER = '<rect width="100%" height="100%" fill="#fff"/>'  # readers have dark themes
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
        "noteMargin": 5,
        "diagramMarginX": 2,
        "diagramMarginY": 12,
    },
}


def make(name: str, folder: Path = FOLDER) -> None:
    """Draw one diagram."""
    import mermaidx  # here: whatever else is in this file works on machines for which there is none

    source = FOLDER / f"{name}.mmd"
    svg = legible(sized(mermaidx.render(source.read_text("utf-8"), config=LOOK).svg()))
    sources = [source, Path(__file__), Path(drawing.__file__)]
    drawing.save(svg, folder / f"{name}.svg", sources)


def sized(svg: str) -> str:
    """Return a diagram with the size that it has in print, in place of "as wide as the page"."""
    width, height = map(float, re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg).groups())
    if width * SCALE > drawing.PRINTED:
        raise RuntimeError(f"{width * SCALE:.0f} мм: шире страницы; уменьшите actorMargin")
    size = f'width="{drawing.whole(width * SCALE)}" height="{drawing.whole(height * SCALE)}"'
    return re.sub(r'width="100%"(.*?) style="[^"]*"', rf"{size}\1", svg, count=1)


def legible(svg: str) -> str:
    """Return a diagram on white, its texts and arrows apart from the lines beside them."""
    head, start, rest = svg.partition(">")
    rest = FRAME.sub(lambda height: str(int(height[0]) + FRAME_END), rest)
    return head + start + PAPER + MESSAGE.sub(RIMMED, rest)


def main() -> int:
    """Draw the diagrams that are asked for, or all; return the exit status."""
    names = sorted(source.stem for source in FOLDER.glob("*.mmd"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which diagrams; without, all")
    wanted = parser.parse_args().names or names
    if unknown := [name for name in wanted if name not in names]:
        parser.exit(2, f"diagrams: нет диаграммы {unknown[0]!r}; есть: {', '.join(names)}\n")
    for name in wanted:
        print(f"{name}: ", end="", flush=True)
        try:
            make(name)
        except ModuleNotFoundError as error:
            print(facts.missing("diagrams", error), flush=True)
            return 1
        except RuntimeError as error:  # the text is no Mermaid; its second line shows the place
            print(" ".join(str(error).splitlines()[:2]), flush=True)
            return 1
        print(f"diagrams/{name}.svg and .png", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(entry.run("diagrams", main))
