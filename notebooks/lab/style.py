"""The look of all figures: one colour, marker and line for each server; a comma in numbers.

The colours differ in brightness as well: they can be told apart in grey. A figure is as wide as
the text of the report.
"""

from collections.abc import Iterable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lab.output import number

DASHES = {"step3": (5, 2), "asyncio": (6, 2, 1, 2), "forwarder": (1, 1.5)}  # else one line
LOOKS = {
    "step3": ("шаг 3", "#c46200", "s"),
    "step4": ("шаг 4", "#004c80", "o"),
    "asyncio": ("asyncio", "#4fc3a1", "^"),
    "forwarder": ("ретранслятор", "black", "D"),
}
STYLES = {
    server: {"label": label, "color": color, "marker": marker}
    | {"linestyle": (0, DASHES[server]) if server in DASHES else "-"}
    for server, (label, color, marker) in LOOKS.items()
}
WIDTH = 6.49  # inches: the 165 mm of the report's text
mpl.rcParams.update(
    {
        "font.size": 9.5,
        "font.family": "DejaVu Sans",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9.5,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "grid.color": "#dddddd",
        "axes.axisbelow": True,
        "lines.markersize": 5,
        "legend.frameon": False,
        "svg.hashsalt": "broadcast latency",
        "figure.facecolor": "white",
    }
)


def panels(columns: int = 1, height: float = 2.9, **options) -> tuple:
    """Return a figure and its panels, side by side; `height` in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(1, columns, **options)


def finish(figure: Figure, x: Iterable[float] = ()) -> None:
    """Write numbers with a comma, mark these values of x, name the lines above everything."""
    for panel in figure.axes:
        if x:
            panel.xaxis.set_major_locator(FixedLocator(list(x)))
            panel.xaxis.set_minor_locator(NullLocator())
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, shortest=True)))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if labels:
        place = {"loc": "outside upper center", "ncols": len(labels), "handlelength": 3}
        figure.legend(handles, labels, **place)


def limit(panel: Axes, value: float, text: str) -> None:
    """Draw a level line with its name."""
    panel.axhline(value, color="black", linewidth=0.9)
    back = {"facecolor": "white", "linewidth": 0, "pad": 1}
    place = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8.5}
    panel.annotate(text, (0.02, value), bbox=back, **place)
