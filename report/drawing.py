"""Draws the diagrams (Mermaid) from their texts, and marks them with their sources."""

import hashlib
import json
import os
import re
from pathlib import Path

from facts import REPORT, ROOT, Problem

DIAGRAMS = REPORT / "diagrams"
LOOK = DIAGRAMS / "look.json"  # for Mermaid
# Life lines run through the texts: a copy with a white rim beneath each keeps it legible.
MESSAGE = re.compile(r'(<text [^>]*class="messageText"[^>]*style=")(.*?</text>)', re.S)
RIMMED = r"\1stroke: #fff; stroke-width: 5px; \2\1\2"


def diagram(name: str, path: Path) -> None:
    """Draw diagrams/NAME.mmd; a frame in it ends 8 px behind the last arrow, not at it."""
    import mermaidx  # here: whatever else is in this file works on machines for which there is none

    source = DIAGRAMS / f"{name}.mmd"
    look = json.loads(LOOK.read_text("utf-8"))
    try:
        svg = mermaidx.render(source.read_text("utf-8"), config=look).svg()
    except RuntimeError as error:  # its second line shows the place
        raise Problem(f"{source.name}: {' '.join(str(error).splitlines()[:2])}") from None
    svg = re.sub(r'(?<=height=")\d+(?=" class="rect")', lambda found: str(int(found[0]) + 8), svg)
    save(MESSAGE.sub(RIMMED, svg), path, 0.18, [source, LOOK])  # 16 px are 8.2 pt


def save(svg: str, path: Path, scale: float, sources: list[Path]) -> None:
    """Write a picture, a unit of it `scale` mm, with the names and the hash of its sources."""
    start, _, body = svg.partition(">")
    x, y, *size = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', start).groups()
    width, height = (f"{float(length) * scale:.2f}mm" for length in size)
    start = re.sub(r' (?:width|height|style)="[^"]*"', "", start)
    white = f'<rect x="{x}" y="{y}" width="100%" height="100%" fill="#fff"/>'  # on a dark page, too
    names = sorted(Path(os.path.relpath(source, ROOT)).as_posix() for source in sources)
    mark = f"<!-- {digest(names)} of {' '.join(names)} -->\n"
    svg = f'{start} width="{width}" height="{height}">{white}{body}\n{mark}'
    path.write_text(svg, "utf-8", newline="\n")


def is_current(path: Path) -> bool:
    """Return whether a picture was made from its sources as they are now."""
    found = re.search(r"<!-- (\w+) of (.*) -->\n\Z", path.read_text("utf-8"))
    names = found[2].split() if found else [""]
    return all((ROOT / name).is_file() for name in names) and found[1] == digest(names)


def digest(names: list[str]) -> str:
    """Return a hash of files, whatever ends their lines."""
    texts = [(ROOT / name).read_text("utf-8") for name in names]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
