"""How the notebook looks: a colour, a marker and a line for each server, numbers in Russian.

The colours, after those of Okabe and Ito, differ in brightness as well: with the markers and the
lines they can be told apart in grey and by people who see colours otherwise. Every figure is as
wide as the text of the report, so its letters are as large there as here.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import Image, Markdown
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

TITLES = {
    "step3": "шаг 3",
    "step4": "шаг 4",
    "single": "шаг 4 без пачек",
    "asyncio": "asyncio",
    "batched": "asyncio с пачками",
    "forwarder": "ретранслятор",
    "uvloop": "asyncio с uvloop",
}
STYLES = {
    "step3": {"color": "#c46200", "marker": "s", "linestyle": (0, (5, 2))},
    "step4": {"color": "#004c80", "marker": "o", "linestyle": "-"},
    "asyncio": {"color": "#4fc3a1", "marker": "^", "linestyle": (0, (6, 2, 1, 2))},
    "forwarder": {"color": "#000000", "marker": "D", "linestyle": (0, (1, 1.5))},
}
STYLES = {name: style | {"label": TITLES[name]} for name, style in STYLES.items()}
GREY = "#666666"
WIDTH = 6.49  # inches: the 165 mm of the report's text
SHOWN = 120  # pixels of a browser for an inch of a figure
NARROW = "\N{NARROW NO-BREAK SPACE}"
plt.rcParams.update(
    {
        "font.size": 9.5,
        "font.family": "DejaVu Sans",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9.5,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "axes.axisbelow": True,
        "figure.constrained_layout.use": True,
        "figure.facecolor": "white",
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "lines.markersize": 5,
        "svg.fonttype": "path",
        "svg.hashsalt": "broadcast latency",
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
    }
)


def ru(value: float, digits: int = 2) -> str:
    """Return a number with at least `digits` significant digits: 0,36; 1,2; 12; 3000; 12 000."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "—"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{decimals}f}" if abs(value) >= 10_000 else f"{value:.{decimals}f}"
    return text.replace(",", NARROW).replace(".", ",").replace("-", "\N{MINUS SIGN}")


def times(factor: float) -> str:
    """Return how many times, as it stands after «в»: 2,5 раза; 13 раз; 22 раза."""
    text = ru(factor)
    few = "," in text or (round(factor) % 10 in (2, 3, 4) and round(factor) % 100 // 10 != 1)
    return f"{text} {'раза' if few else 'раз'}"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Markdown:
    """Return a table; all columns but the first stand to the right."""
    header = list(header)
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


def axis(which: Axis, label: str, values: Iterable[float] | None = None) -> None:
    """Name an axis and write its numbers with a comma, at these values if any are given."""
    which.set_label_text(label)
    if values is not None:
        which.set_major_locator(FixedLocator(list(values)))
    which.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace(".", ",")))
    which.set_minor_locator(NullLocator())


def show(figure: Figure, folder: Path, name: str) -> Image:
    """Save a figure as SVG and PNG, close it, and return it as it can be displayed."""
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
    figure.savefig(folder / f"{name}.png", metadata={"Software": None}, dpi=200)
    plt.close(figure)
    width = round(figure.get_figwidth() * SHOWN)
    return Image(filename=str(folder / f"{name}.png"), width=width)
