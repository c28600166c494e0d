"""The figures: one colour, marker and line for each server in all of them; Russian labels.

The colours, after those of Okabe and Ito, differ in brightness as well: with the markers and the
lines they can be told apart in grey and by people who see colours otherwise.

Every figure is as wide as the text of the report. So its letters are as large there as here.
"""

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from lab.analysis import DELAYED_ACK_US, last_of, line, medians, points, residuals
from lab.experiments import NAMES, PHASES, WITH, WITHOUT, Samples
from lab.russian import fixed, microseconds, number, percent

TITLES = {
    "step3": "шаг 3",
    "step4": "шаг 4",
    "asyncio": "asyncio",
    "forwarder": "ретранслятор",
}
STYLES = {
    "step3": {"color": "#c46200", "marker": "s", "linestyle": (0, (5, 2))},
    "step4": {"color": "#004c80", "marker": "o", "linestyle": "-"},
    "asyncio": {"color": "#4fc3a1", "marker": "^", "linestyle": (0, (6, 2, 1, 2))},
    "forwarder": {"color": "#000000", "marker": "D", "linestyle": (0, (1, 1.5))},
}
GREY = "#666666"
NODELAY = {
    WITH: STYLES["step4"] | {"label": "с TCP_NODELAY"},
    WITHOUT: {"color": "#cc3377", "marker": "x", "linestyle": (0, (3, 2))}
    | {"label": "без TCP_NODELAY"},
}
LOOKS = {  # label, colour and hatch of the phases of a broadcast
    "before": ("до первого send", "#dddddd", ""),
    "send": ("внутри send", "#4d4d4d", ""),
    "between": ("Python между вызовами send", "#f0b050", "////"),
    "after": ("после последнего send", "#ffffff", "...."),
}
NARROWEST = 9  # percent of a bar that a label needs
NEXT = 2.4  # times smaller: a value whose label has room beside another one
WIDTH = 6.49  # inches: the 165 mm of the report's text
TEXT, NOTE = 9.5, 8.5  # points
mpl.rcParams.update(
    {
        "font.size": TEXT,
        "font.family": "DejaVu Sans",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": TEXT,
        "figure.labelsize": TEXT,
        "xtick.labelsize": NOTE,
        "ytick.labelsize": NOTE,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "lines.linewidth": 1.6,
        "lines.markersize": 5,
        "legend.frameon": False,
        "svg.hashsalt": "broadcast latency",
        "svg.fonttype": "path",
        "figure.facecolor": "white",
    }
)


def with_comma(value: float, _: object) -> str:
    """Return a tick label: the shortest number that is right, with a comma."""
    return fixed(value, 0) if value == int(value) else f"{value:g}".replace(".", ",")


def ticks(axis, values: Iterable[float] | None = None) -> None:
    """Put numbers with a comma on an axis, at these values if any are given."""
    if values is not None:
        axis.set_major_locator(FixedLocator(list(values)))
    elif axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(with_comma))
    axis.set_minor_locator(NullLocator())


def with_room(values: Iterable[int]) -> list[int]:
    """Return the values of a logarithmic axis whose labels do not touch; the largest is one."""
    chosen: list[int] = []
    for value in sorted(values, reverse=True):
        if not chosen or chosen[-1] >= NEXT * value:
            chosen.append(value)
    return chosen


def sized(height: float, rows: int = 1, columns: int = 1, **options):
    """Return a figure with axes; `height` in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def legend_above(figure: Figure, axes: Axes) -> None:
    """Name the servers in one row above everything, where nothing is covered."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), handlelength=3.2)


def with_bars(panel: Axes, name: str, positions: list, entries: list[dict], key: str) -> np.ndarray:
    """Draw a server's values and their intervals; return the values."""
    measure, unit = key.split("_")
    values, low, high = (
        np.array([entry[f"{measure}{end}_{unit}"] for entry in entries])
        / (1000 if unit == "us" else 1)
        for end in ("", "_low", "_high")
    )
    bars = np.maximum([values - low, high - values], 0)
    style = STYLES[name] | {"label": TITLES[name]}
    panel.errorbar(positions, values, bars, **style, capsize=2, elinewidth=1)
    return values


def answer(summary: dict) -> Figure:
    """Draw how long a broadcast takes, against the number of clients: the whole answer."""
    figure, panel = sized(3.2)
    sizes = summary["parameters"]["sizes"]
    for name in NAMES:
        entries = [summary["latency"][name][str(users)] for users in sizes]
        with_bars(panel, name, sizes, entries, "last_us")
    panel.set(xlabel="Клиентов в комнате", ylabel="Время до последнего\nполучателя, мс")
    panel.set_xlim(0)
    panel.set_ylim(0)
    ticks(panel.xaxis)
    ticks(panel.yaxis)
    legend_above(figure, panel)
    return figure


def latency_by_clients(summary: dict) -> Figure:
    """Draw p50, p95, p99 and the last recipient against the number of clients."""
    figure, axes = sized(5.8, 2, 2, sharex=True, sharey=True)
    titles = {
        "p50": "Медиана по получателям (p50)",
        "p95": "95-й процентиль (p95)",
        "p99": "99-й процентиль (p99)",
        "last": "Последний получатель (медиана)",
    }
    sizes = summary["parameters"]["sizes"]
    for panel, (measure, title) in zip(axes.flat, titles.items(), strict=True):
        for name in NAMES:
            entries = [summary["latency"][name][str(users)] for users in sizes]
            with_bars(panel, name, sizes, entries, f"{measure}_us")
        panel.set(xscale="log", yscale="log", title=title)
        ticks(panel.xaxis, with_room(sizes))
        ticks(panel.yaxis)
    legend_above(figure, axes[0, 0])
    figure.supxlabel("Клиентов в комнате")
    figure.supylabel("Задержка рассылки, мс")
    return figure


def straight_line(samples: Samples, summary: dict) -> Figure:
    """Draw the lines, the runs, the points that the lines fit, and how far they are from these."""
    figure, (left, right) = sized(2.8, 1, 2)
    for name in NAMES:
        found = last_of(samples, name)
        recipients, times = points(found)
        slope, constant = line(recipients, times)
        style = STYLES[name]
        ends = np.array([0, recipients.max()])
        left.plot(ends, (constant + slope * ends) / 1000, **style | {"marker": ""})
        dots = style | {"linestyle": "none", "markersize": 4}
        every, medians_of_runs = medians(found)
        left.plot(every, medians_of_runs / 1000, **dots, alpha=0.3)
        left.plot(recipients, times / 1000, **dots)
        left.plot([], [], **style, label=TITLES[name])
        right.plot(recipients, residuals(recipients, times, slope, constant), **dots, alpha=0.75)
    left.set(xlabel="Получателей", ylabel="Время рассылки, мс")
    left.set_title("Прогоны (бледные) и прямая")
    right.axhline(0, color=GREY, linewidth=1)
    right.set(xscale="log", xlabel="Получателей", ylabel="Отклонение, %")
    right.set_title("Остатки")
    ticks(left.xaxis)
    ticks(left.yaxis)
    ticks(right.yaxis)
    ticks(right.xaxis, with_room([users - 1 for users in summary["parameters"]["sizes"]]))
    legend_above(figure, left)
    return figure


def latency_by_rate(summary: dict) -> Figure:
    """Draw p50 and p99 against the offered rate, with the limit that says who has broken."""
    figure, axes = sized(2.9, 1, 2, sharey=True)
    rates, limit = summary["parameters"]["rates"], summary["parameters"]["limit_ms"]
    titles = ("Медиана (p50)", "p99, в кольце — колено")
    for panel, percentile, title in zip(axes, ("p50", "p99"), titles, strict=True):
        for name in NAMES:
            measured = [rate for rate in rates if str(rate) in summary["rate"][name]]
            entries = [summary["rate"][name][str(rate)] for rate in measured]
            values = with_bars(panel, name, measured, entries, f"{percentile}_ms")
            held = summary["knee"][name]["rate_per_s"]
            if held and percentile == "p99":
                ring = {"marker": "o", "markersize": 13, "fillstyle": "none", "linestyle": "none"}
                panel.plot(held, values[measured.index(held)], color=STYLES[name]["color"], **ring)
        panel.axhline(limit, color="black", linewidth=0.9)
        panel.set(xscale="log", yscale="log", title=title)
        ticks(panel.xaxis, rates)
        ticks(panel.yaxis)
    back = {"facecolor": "white", "linewidth": 0, "pad": 1.5}
    place = {"fontsize": NOTE, "va": "center", "bbox": back}
    axes[0].text(rates[0], limit, f"порог {number(limit)} мс", **place)
    legend_above(figure, axes[0])
    figure.supxlabel("Сообщений в секунду от всех клиентов вместе")
    figure.supylabel("Задержка, мс")
    return figure


def stalled_reader(samples: Samples) -> Figure:
    """Draw what was due to a healthy client and what it has got, step 3 beside step 4."""
    figure, axes = sized(2.8, 1, 2, sharex=True, sharey=True)
    for panel, name in zip(axes, ("step3", "step4"), strict=True):
        run = next(r for r in samples.runs if (r["experiment"], r["server"]) == ("stall", name))
        time_line(panel, samples.stall[name][0], run, name)
        mark(panel, run["stalled_at_ms"] / 1000, "один\nперестал\nчитать", left=True)
        if run["cut_off_ms"] is not None:
            mark(panel, run["cut_off_ms"] / 1000, "сервер его\nотключил")
        back = {"facecolor": "white", "edgecolor": "none", "framealpha": 1}
        panel.legend(loc="lower right", frameon=True, **back)
        panel.set_xlabel("Время, с")
        ticks(panel.xaxis)
        ticks(panel.yaxis)
    axes[0].set_ylabel("Получено сообщений")
    return figure


def time_line(panel: Axes, timeline: np.ndarray, run: dict, name: str) -> None:
    """Draw how many messages were due to a client and how many it has got, until the end."""
    due = np.arange(1, len(timeline) + 1)
    came = np.sort(timeline[timeline[:, 1] >= 0, 1]) / 1e6
    panel.plot(timeline[:, 0] / 1e6, due, color="#cccccc", linewidth=4.5, label="по расписанию")
    times, got = np.append(came, run["end_ms"] / 1000), np.append(due[: len(came)], len(came))
    panel.plot(times, got, color=STYLES[name]["color"], label="получено", drawstyle="steps-post")
    counts = f"получено {fixed(len(came), 0)} из {fixed(len(due), 0)}"
    panel.set_title(f"{TITLES[name].capitalize()}: {counts}")
    panel.set_ylim(0, len(due) * 1.2)  # room for what is marked


def mark(panel: Axes, time: float, text: str, left: bool = False) -> None:
    """Mark a moment; the text stands to the left or to the right of it."""
    panel.axvline(time, color="black", linewidth=0.9, linestyle=(0, (4, 3)))
    panel.annotate(text, (time, 1), xycoords=("data", "axes fraction"),
                   xytext=(-4 if left else 4, -3), textcoords="offset points",
                   ha="right" if left else "left", va="top", fontsize=NOTE)  # fmt: skip


def nagle(samples: Samples) -> Figure:
    """Draw consecutive broadcasts with and without TCP_NODELAY, and all of them as shares."""
    figure, (left, right) = sized(3.6, 1, 2, sharey=True)
    for variant, style in NODELAY.items():  # clients take turns in both
        last = samples.nagle[variant][0].max(axis=1)[:40] / 1000
        left.plot(np.arange(1, len(last) + 1), last, **style | {"linewidth": 0.9})
        every = np.sort(np.concatenate(samples.nagle[variant]).max(axis=1)) / 1000
        shares = np.arange(1, len(every) + 1) / len(every) * 100
        right.plot(shares, every, **style | {"marker": ""})
    for panel in (left, right):
        panel.axhline(DELAYED_ACK_US / 1000, color="black", linewidth=0.9)
        panel.set_yscale("log")
        ticks(panel.xaxis)
        ticks(panel.yaxis)
    left.set(xlabel="Номер сообщения", ylabel="Время до последнего получателя, мс")
    left.set_title("Сообщения одно за другим")
    label = f"{microseconds(DELAYED_ACK_US)}:\nнаименьшая\nотсрочка\nподтверждения\nв Linux"
    right.text(1, DELAYED_ACK_US / 1000 * 0.88, label, fontsize=NOTE, va="top")
    right.set_xlabel("Доля сообщений не медленнее, %")
    right.set_title("Все повторы")
    legend_above(figure, left)
    return figure


def cost_breakdown(summary: dict) -> Figure:
    """Draw the phases of one broadcast as stacked bars."""
    figure, panel = sized(3.4)
    start = np.zeros(len(NAMES))
    for phase in PHASES:
        start = phase_bars(panel, summary["share"], phase, start)
    for row, total in enumerate(start):
        panel.text(total, row, f" {microseconds(total)}", va="center", fontsize=NOTE)
    panel.invert_yaxis()
    panel.grid(axis="y", visible=False)
    panel.set_xlabel("Время одной рассылки до последнего получателя, мкс")
    panel.margins(x=0.15)
    ticks(panel.xaxis)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def phase_bars(panel: Axes, shares: dict, phase: str, start: np.ndarray) -> np.ndarray:
    """Draw one phase of every server behind the phases before it; return where it ends."""
    label, color, hatch = LOOKS[phase]
    widths = np.array([shares[name][f"{phase}_us"] for name in NAMES])
    look = {"color": color, "hatch": hatch, "edgecolor": "#333333", "linewidth": 0.7}
    titles = [TITLES[name] for name in NAMES]
    bars = panel.barh(titles, widths, left=start, height=0.62, label=label, **look)
    parts = [shares[name][f"{phase}_percent"] for name in NAMES]
    texts = [percent(part) if part >= NARROWEST else "" for part in parts]
    back = {"facecolor": "white" if hatch else color, "linewidth": 0, "pad": 1.5}
    front = "white" if phase == "send" else "black"
    for text in panel.bar_label(bars, texts, label_type="center", fontsize=NOTE, color=front):
        text.set_bbox(back if text.get_text() else None)
    return start + widths
