"""What the drawn pictures of the report share: how wide they are, and a mark of their sources."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from facts import ROOT, Problem, digest

PRINTED = 165  # mm: how wide a picture may be, on A4 between margins of 30 and 15 mm
NO_TERMINALS = (
    "в Windows нет псевдотерминалов. Запустите в WSL, оставьте картинки как есть "
    "или вставьте свои снимки экрана: report/README.md, пункт 6."
)
MARK = re.compile(r"<!-- (\w+) of (.*) -->\n\Z")


def on_paper(svg: str, scale: float = 0) -> str:
    """Return an SVG on white; `scale` is millimetres for a unit, without it a unit is a pixel."""
    start, _, body = svg.partition(">")
    corner = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', start).groups()
    x, y, width, height = map(float, corner)
    if width * scale > PRINTED + 0.01:
        raise Problem(f"{width * scale:.0f} мм: картинка шире страницы; сделайте её уже")
    unit = "mm" if scale else ""
    lengths = f'width="{width * (scale or 1):.2f}{unit}" height="{height * (scale or 1):.2f}{unit}"'
    start = re.sub(r' (?:width|height|style)="[^"]*"', "", start)
    # White, for readers have dark themes.
    return f'{start} {lengths}><rect x="{x}" y="{y}" width="100%" height="100%" fill="#fff"/>{body}'


def save(svg: str, path: Path, sources: Iterable[Path]) -> None:
    """Write a picture, with the names and the hash of what it was made from at the end."""
    names = sorted(Path(os.path.relpath(source, ROOT)).as_posix() for source in sources)
    mark = f"<!-- {digest(names)} of {' '.join(names)} -->\n"
    path.write_text(f"{svg}\n{mark}", "utf-8", newline="\n")


def is_current(path: Path) -> bool:
    """Return whether a picture was made from its sources as they are now."""
    found = MARK.search(path.read_text("utf-8").replace("\r\n", "\n"))
    names = found[2].split() if found else []
    there = names and all((ROOT / name).is_file() for name in names)
    return bool(there) and found[1] == digest(names)
