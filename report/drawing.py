"""What the pictures of the report share: a mark of their sources, and a PNG beside each SVG."""

import io
import os
import re
from collections.abc import Iterable
from pathlib import Path

import matplotlib
import typst
from PIL import Image

from facts import ROOT, digest

FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
PRINTED = 165  # mm: how wide a picture may be, on A4 between margins of 30 and 15 mm
PPI = 240  # pixels per inch of a PNG
PAGE = """
#set page(width: auto, height: auto, margin: 0pt, fill: white)
#image(bytes(sys.inputs.svg), format: "svg")
"""


def mark(sources: Iterable[str]) -> str:
    """Return the line that ends an SVG: its sources, as paths from the root, and their hash."""
    names = sorted(sources)
    return f"<!-- {digest(names)} of {' '.join(names)} -->\n"


def save(svg: str, path: Path, sources: Iterable[Path]) -> None:
    """Write a picture as SVG, marked with its sources, and as PNG beside it."""
    names = [Path(os.path.relpath(source, ROOT)).as_posix() for source in sources]
    path.write_text(f"{svg}\n{mark(names)}", "utf-8", newline="\n")
    pixels = typst.compile(
        PAGE.encode(),
        format="png",
        ppi=PPI,
        font_paths=[FONTS],
        ignore_system_fonts=True,
        sys_inputs={"svg": svg},
    )
    # All is drawn in greys. The resolution tells Word how large the picture is.
    grey = Image.open(io.BytesIO(pixels)).convert("L")
    grey.save(path.with_suffix(".png"), dpi=(PPI, PPI), optimize=True)


def whole(length: float) -> str:
    """Return a length as whole pixels of the PNG: else one row of them is lost within letters."""
    pixel = 25.4 / PPI
    return f"{(round(length / pixel) - 0.02) * pixel:.4f}mm"  # a hair less, so as not to round up


def is_current(path: Path) -> bool:
    """Return whether an SVG and its PNG are here, made from the sources as they are now."""
    if not (path.is_file() and path.with_suffix(".png").is_file()):
        return False
    svg = path.read_text("utf-8").replace("\r\n", "\n")
    found = re.search(r"<!-- \w+ of (.*) -->\n\Z", svg)
    names = found[1].split() if found else []
    there = names and all((ROOT / name).is_file() for name in names)
    return bool(there) and svg.endswith(mark(names))
