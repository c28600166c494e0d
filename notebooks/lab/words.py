"""The sentences of the notebook that the data decides: each function words its part of a summary.

Nothing here is true by assumption: another machine's summary gives other numbers and, where the
facts are others, other words.
"""

import math
from collections.abc import Callable
from pathlib import Path

from lab.analysis import LATE_US, SLOW
from lab.experiments import ALONE, CHATS, FREE, NAMES, PHASES, PINNED, WITH, WITHOUT
from lab.figures import TITLES
from lab.parameters import Parameters
from lab.russian import SPACE, counted, fixed, listed, microseconds, number, percent, times

STRAIGHT = 0.99  # the goal: R² of every line
NEAR = 15.0  # the goal, percent: the largest residual of every line
ALIKE = 1.25  # a ratio up to this is no difference that a text should speak of
FAR = 2  # a ratio from which a text says who is ahead
MOSTLY = 80  # percent that make a rule
SELDOM = 10  # percent that make an exception
FLOOR = 50  # percent of a latency from which the forwarder's share dominates
LATE = 50  # percent of p99 from which the generator's own lateness dominates
BUSY = 90  # percent of a core from which the generator itself is the limit
FROZEN = 0.5  # seconds of silence at the end that make a stop for all
AMOUNTS = (
    "repeats",
    "rounds",
    "bootstrap",
    "sizes",
    "messages",
    "deliveries",
    "rates",
    "rate_seconds",
    "stall_seconds",
    "saturation_seconds",
    "nagle_messages",
    "cost_messages",
)  # less of it: less is known


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table, all but the first column to the right."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *rows])


def interval(entry: dict, measure: str) -> str:
    """Return a latency with its interval."""
    low, high = entry[f"{measure}_low_us"], entry[f"{measure}_high_us"]
    return f"{microseconds(entry[f'{measure}_us'])} ({microseconds(low)} … {microseconds(high)})"


def reference_size(summary: dict) -> int:
    """Return the size of room that the text speaks of: 100, or else the largest."""
    sizes = summary["parameters"]["sizes"]
    return 100 if 100 in sizes else max(sizes)


def machine_table(machine: dict, versions: dict) -> str:
    """Return what machine and which versions measure."""
    memory = number(machine["memory_gib"])
    rows = [
        ["Процессор", f"{machine['processor']}, ядер: {machine['cores']}"],
        ["Память", f"{memory} ГиБ"],
        ["Ядро ОС", f"{machine['system']} {machine['kernel']}"],
        ["Python", versions["python"]],
        ["Библиотеки", ", ".join(f"{k} {v}" for k, v in versions.items() if k != "python")],
    ]
    return table(["Что", "Значение"], rows).replace("--:", ":--")


def parameters(chosen: Parameters, full: Parameters) -> str:
    """Say which parameters differ from those of a full run, and whether less was measured."""
    changed = [name for name, value in vars(chosen).items() if value != getattr(full, name)]
    if not changed:
        return "Параметры — полного запуска."
    told = ", ".join(f"`{name}={getattr(chosen, name)}`" for name in changed)
    less = any(amount(getattr(chosen, name)) < amount(getattr(full, name)) for name in AMOUNTS)
    warning = " Измерено меньше, чем в полном запуске. Судить по нему о серверах нельзя."
    return f"**Параметры изменены:** {told}.{warning if less else ''}"


def amount(value: float | tuple) -> float:
    """Return how much a parameter has measured."""
    return len(value) if isinstance(value, tuple) else value


def latency_table(summary: dict) -> str:
    """Return the latencies of all servers in the room that the text speaks of."""
    users = str(reference_size(summary))
    header = [f"Клиентов: {users}", "p50", "p95", "p99", "последний (95 % интервал)"]
    rows = []
    for name in NAMES:
        entry = summary["latency"][name][users]
        cells = [microseconds(entry[f"{measure}_us"]) for measure in ("p50", "p95", "p99")]
        rows.append([TITLES[name], *cells, interval(entry, "last")])
    return table(header, rows)


def at_clients(users: int) -> str:
    """Return the number of clients as it stands after «при»."""
    return counted(users, "клиенте", "клиентах", "клиентах")


def latency(summary: dict) -> str:
    """Say how the time of a broadcast grows from the smallest room to the largest."""
    sizes = summary["parameters"]["sizes"]
    fewest, most = min(sizes), max(sizes)
    small, large = (summary["latency"]["step4"][str(n)]["last_us"] for n in (fewest, most))
    return (
        f"От {fewest} до {most} клиентов получателей становится больше в "
        f"{times((most - 1) / (fewest - 1))}, а время рассылки шага 4 — в {times(large / small)} "
        f"(с {microseconds(small)} до {microseconds(large)})."
    )


def floor(summary: dict) -> str:
    """Say how much of the latency is the yardstick's: `send`, the system, the generator."""
    users = str(reference_size(summary))
    bare = summary["latency"]["forwarder"][users]["last_us"]
    shares = {name: 100 * bare / summary["latency"][name][users]["last_us"] for name in CHATS}
    told = listed([f"{TITLES[name]} — {percent(share)}" for name, share in shares.items()])
    dominated = [TITLES[name] for name, share in shares.items() if share > FLOOR]
    verdict = (
        f"Больше половины времени ({listed(dominated)}) — это не чат, а системные вызовы, "
        "приём и сам генератор нагрузки: разницу между серверами здесь надо "
        "отсчитывать от ретранслятора, а не от нуля."
        if dominated
        else "Ни у одного чата эта часть не превышает половины: видны прежде всего сами серверы."
    )
    if any(share > 100 for share in shares.values()):
        verdict += " Больше 100 % значит, что разница меньше разброса."
    return (
        f"Ретранслятор, который не знает ни имён, ни сообщений, доводит рассылку до последнего "
        f"получателя за {microseconds(bare)} при {at_clients(int(users))}. От времени чатов это: "
        f"{told}. {verdict}"
    )


def fit_table(summary: dict) -> str:
    """Return the lines of all servers."""
    header = ["Сервер", "на получателя, мкс", "постоянная часть, мкс", "R²", "наибольший остаток"]
    rows = []
    for name in NAMES:
        entry = summary["fit"][name]
        slope, low, high = (
            number(entry[f"us_per_recipient{end}"], 3) for end in ("", "_low", "_high")
        )
        fixed_part = number(entry["fixed_us"])
        fixed_range = f"{number(entry['fixed_low_us'])} … {number(entry['fixed_high_us'])}"
        rows.append(
            [
                TITLES[name],
                f"{slope} ({low} … {high})",
                f"{fixed_part} ({fixed_range})",
                r_squared(entry),
                percent(entry["worst_residual_percent"]),
            ]
        )
    return table(header, rows)


def goal_of(entry: dict) -> bool:
    """Return whether a line meets the goals."""
    return entry["r2"] >= STRAIGHT and entry["worst_residual_percent"] <= NEAR


def r_squared(entry: dict) -> str:
    """Return R² rounded down: what misses the goal does not look as if it were met."""
    return fixed(math.floor(1000 * entry["r2"] + 1e-6) / 1000, 3)


def fit(summary: dict) -> str:
    """Say whether latency is a straight line, what its slope means and what it predicts."""
    entries = summary["fit"]
    missed = [
        f"{TITLES[name]} (R² {r_squared(entry)}, остаток "
        f"{percent(entry['worst_residual_percent'])} при {at_clients(entry['worst_users'])})"
        for name, entry in entries.items()
        if not goal_of(entry)
    ]
    result = (
        f"не выполнена у этих серверов: {'; '.join(missed)}. У них наклон — лишь средняя цена "
        "получателя, и выводить из него время одной рассылки нельзя."
        if missed
        else "выполнена у всех серверов: каждый новый получатель стоит одинаково."
    )
    slow, runs = (sum(entry[key] for entry in entries.values()) for key in ("slow_runs", "runs"))
    return (
        f"Цель опыта: R² не меньше {fixed(STRAIGHT, 2)} и остатки не больше {percent(NEAR)}. Она "
        f"{result} Больше чем на {percent(SLOW)} выше прямой лежат {fixed(slow, 0)} из "
        f"{counted(runs, 'прогона', 'прогонов', 'прогонов')}: им мешали чужие процессы.\n\n"
        f"{prediction(summary)}\n\n{chats(summary)}\n\n{slope(summary)} {price(summary)}"
    )


def chats(summary: dict) -> str:
    """Compare the lines of the chats: the price of a recipient, and what comes before the first."""
    slopes = {name: summary["fit"][name]["us_per_recipient"] for name in CHATS}
    cheap, dear = min(CHATS, key=slopes.get), max(CHATS, key=slopes.get)
    ratio = slopes[dear] / slopes[cheap]
    price = (
        "Цена получателя у всех чатов почти одна: разница между наибольшей и наименьшей — "
        f"{percent(100 * (ratio - 1))}."
        if ratio <= ALIKE
        else f"Дешевле всего получатель обходится чату {TITLES[cheap]}, дороже всего — "
        f"{TITLES[dear]}: разница в {times(ratio)}."
    )
    ours = max(summary["fit"]["step4"]["fixed_us"], 1)
    starts = listed(
        [
            f"{TITLES[name]} — {percent(100 * summary['fit'][name]['fixed_us'] / ours)}"
            for name in CHATS
            if name != "step4"
        ]
    )
    return f"{price} Постоянная часть, если у шага 4 она {percent(100, 3)}: {starts}."


def price(summary: dict) -> str:
    """Say whether one call of `send` costs the same in rooms of all sizes."""
    found = {int(users): entry["us_per_send"] for users, entry in summary["price"].items()}
    found[summary["parameters"]["cost_users"]] = summary["share"]["step4"]["us_per_send"]
    told = listed([f"{number(found[users])} мкс при {users}" for users in sorted(found)])
    change = max(found.values()) / min(found.values())
    text = f"Измерено и отдельно: один вызов `send` шага 4 стоит {told} клиентах."
    if change <= ALIKE:
        less = f"разница {percent(100 * (change - 1))}"
        return f"{text} Цена вызова почти не зависит от размера комнаты: {less}."
    return f"{text} Наибольшая цена больше наименьшей в {times(change)}."


def slope(summary: dict) -> str:
    """Say what the slope of step 4 is made of."""
    price = summary["fit"]["step4"]["us_per_recipient"]
    send = summary["share"]["step4"]["us_per_send"]
    meaning = (
        f"Сам вызов `send` в комнате раздела 6 стоит {number(send)} мкс, это "
        f"{percent(100 * send / price)} наклона; остальное — Python вокруг него и приём."
        if send < price
        else f"Вызов `send` (раздел 6) стоит {number(send)} мкс, не меньше наклона: разделы "
        "измерены в разных прогонах."
    )
    return f"У шага 4 каждый следующий получатель добавляет {number(price)} мкс. {meaning}"


def prediction(summary: dict) -> str:
    """Compare what the line of all other rooms predicts for the largest with what it was."""
    users, entry = max(summary["parameters"]["sizes"]), summary["fit"]["step4"]
    off = 100 * (entry["largest_us"] / entry["predicted_us"] - 1)
    told = (
        f"Проверка: прямая шага 4, проведённая без самой большой комнаты, предсказывает для "
        f"{of_clients(users)} {microseconds(entry['predicted_us'])}, измерено "
        f"{microseconds(entry['largest_us'])}"
    )
    if abs(off) <= NEAR:
        return f"{told}: предсказание верно с точностью до {percent(max(abs(off), 1))}."
    return f"{told}: в такой комнате прямая ошибается на {percent(abs(off))}."


def of_clients(count: int) -> str:
    """Return a number of clients as it stands after «для» and «до»."""
    return counted(count, "клиента", "клиентов", "клиентов")


def method(summary: dict) -> str:
    """Say whether each process had a processor of its own."""
    if summary["machine"]["pinned"]:
        return (
            "Сервер и генератор нагрузки закреплены за разными процессорными ядрами "
            "(`os.sched_setaffinity`). Генератор, пока ждёт одиночное сообщение, не засыпает: "
            "пробуждение спящего процесса стоит отправителю несколько микросекунд, но не каждый "
            "раз, и эта случайная добавка исказила бы прямую."
        )
    return (
        "**Закрепить процессы за процессорными ядрами здесь нельзя** (это умеет Linux, и нужны два "
        "ядра). Сервер и генератор переходят с ядра на ядро, и разброс больше."
    )


def control_table(summary: dict) -> str:
    """Return the time of a broadcast with processes that are pinned and with those that are not."""
    users = summary["parameters"]["control_users"]
    header = [f"До последнего, клиентов: {users}", "закреплены", "без закрепления"]
    rows = []
    for name, ways in summary["control"].items():
        cells = [interval(ways[way], "last") if way in ways else "—" for way in (PINNED, FREE)]
        rows.append([TITLES[name], *cells])
    return table(header, rows)


def control(summary: dict) -> str:
    """Say what is different when the system chooses the processors."""
    found = [ways for ways in summary["control"].values() if PINNED in ways]
    if not summary["machine"]["pinned"] or not found:
        return "Сравнить не с чем: закреплённых прогонов в такой комнате нет."
    ratios = [ways[FREE]["last_us"] / ways[PINNED]["last_us"] for ways in found]
    if max(ratios) > ALIKE and min(ratios) < 1 / ALIKE:
        change = "у одних серверов рассылка дольше, у других короче"
    elif max(ratios) > ALIKE:
        change = f"рассылка дольше, самое большее в {times(max(ratios))}"
    elif min(ratios) < 1 / ALIKE:
        change = f"рассылка короче, самое большее в {times(1 / min(ratios))}"
    else:
        most = max(max(ratios), 1 / min(ratios))
        change = f"время рассылки почти то же, разница не больше {percent(100 * (most - 1))}"
    told = f"Без закрепления {change}."
    if summary["parameters"]["repeats"] > 1:
        pinned, free = (max(spread(ways[way]) for ways in found) for way in (PINNED, FREE))
        told += (
            f" Размах повторов (в скобках) доходит до {percent(free)} времени без закрепления и до "
            f"{percent(pinned)} с ним."
        )
    return told + " Все остальные числа этой тетради — закреплённых процессов."


def spread(entry: dict) -> float:
    """Return by how many percent of the median the runs differ."""
    return max(100 * (entry["last_high_us"] - entry["last_low_us"]) / entry["last_us"], 0.1)


def rate_table(summary: dict) -> str:
    """Return p99 of all servers at all rates; where not all has come, it is at least that."""
    rates = summary["parameters"]["rates"]
    rows = []
    for name in NAMES:
        entries = [summary["rate"][name].get(str(rate)) for rate in rates]
        rows.append([TITLES[name], *map(p99, entries)])
    return table(["p99, мс, при сообщений/с", *(fixed(rate, 0) for rate in rates)], rows)


def p99(entry: dict | None) -> str:
    """Return a cell of the table: `≥` where deliveries were missing, a dash for no run."""
    if entry is None:
        return "—"
    return f"≥{SPACE}{number(entry['p99_ms'])}" if entry["lost"] else number(entry["p99_ms"])


def lost(summary: dict) -> str:
    """Say where deliveries had not come when the run ended, and which rates were left out."""
    told = [
        f"{TITLES[name]} при {fixed(int(rate), 0)} — {share(entry['lost_percent'])}"
        for name in NAMES
        for rate, entry in summary["rate"][name].items()
        if entry["lost"]
    ]
    highest = summary["parameters"]["rates"][-1]
    spared = [TITLES[name] for name in NAMES if str(highest) not in summary["rate"][name]]
    texts = [
        f"Не пришло вовремя (в таблице такие места отмечены знаком ≥): {'; '.join(told)} доставок."
        if told
        else "Все доставки пришли вовремя."
    ]
    if spared:
        texts.append(
            f"Тире: {listed(spared)} не держит уже предыдущую частоту, и наибольшая не измерена."
            if len(spared) == 1
            else f"Тире: {listed(spared)} не держат уже предыдущую частоту, и наибольшая не "
            "измерена."
        )
    return " ".join(texts)


def share(part: float) -> str:
    """Return a small share of 100, never as nothing."""
    return percent(part) if part >= 0.01 else f"меньше 0,01{SPACE}%"


def knee_of(name: str, knee: dict, limit: str) -> str:
    """Say up to which rate a server keeps pace."""
    held, broken = knee["rate_per_s"], knee["broken_per_s"]
    if broken is None:
        return f"{TITLES[name]} выдержал все частоты, до {of_messages(held)} в секунду"
    if held is None:
        return f"{TITLES[name]} превысил порог {limit} уже при {at_messages(broken)} в секунду"
    return (
        f"{TITLES[name]} держит {fixed(held, 0)} и не держит "
        f"{counted(broken, 'сообщение', 'сообщения', 'сообщений')} в секунду"
    )


def at_messages(count: int) -> str:
    """Return a number of messages as it stands after «при»."""
    return counted(count, "сообщении", "сообщениях", "сообщениях")


def of_messages(count: int) -> str:
    """Return a number of messages as it stands after «из» and «до»."""
    return counted(count, "сообщения", "сообщений", "сообщений")


def rate(summary: dict) -> str:
    """Say where each server breaks, and what did not come in time."""
    limit = f"{number(summary['parameters']['limit_ms'])} мс"
    told = "; ".join(knee_of(name, summary["knee"][name], limit) for name in NAMES)
    return f"{told[0].upper()}{told[1:]}. {lost(summary)}"


def compared_table(summary: dict) -> str:
    """Return what chats with batches and without can do."""
    rate = fixed(summary["parameters"]["batch_rate"], 0)
    header = ["Чат", "пачки", f"p99, мс, при {rate} сообщений/с", "доставок/с, наибольшее"]
    rows = []
    for name, entry in summary["compared"].items():
        title, batches = COMPARED_TITLES[name]
        cells = [batches, p99(entry), fixed(entry["deliveries_per_s"], 0)]
        rows.append([title, *cells])
    return table(header, rows)


COMPARED_TITLES = {
    "step4": ("шаг 4: потоки выполнения", "есть"),
    "single": ("шаг 4, пачки по одному сообщению", "нет"),
    "batched": ("asyncio.Protocol", "есть"),
    "asyncio": ("asyncio, как в документации", "нет"),
    "uvloop": ("то же на uvloop", "нет"),
}


def compared(summary: dict) -> str:
    """Say what is due to batches, what to threads, and who is ahead."""
    found = summary["compared"]
    ours, theirs = (
        gain(found[a], found[b]) for a, b in (("step4", "single"), ("batched", "asyncio"))
    )
    batches = (
        f"**Пачки.** {effect('Шаг 4', ours)} {effect('Asyncio', theirs)} Каждое сравнение — один и "
        "тот же способ выполнения, отличаются только пачки."
    )
    speeds = [found[name]["deliveries_per_s"] for name in ("step4", "batched")]
    between = max(speeds) / min(speeds)
    ways = f"{threads(summary)}\n\n{verdict(min(ours[1], theirs[1]), between)}"
    return f"{batches}\n\n{ways}\n\n{carried(summary)}"


def threads(summary: dict) -> str:
    """Say who is ahead of the two chats with batches: the one with threads, or asyncio."""
    ours, theirs = (summary["compared"][name] for name in ("step4", "batched"))
    late = theirs["p99_ms"] / ours["p99_ms"]
    fast = ours["deliveries_per_s"] / theirs["deliveries_per_s"]
    millions = [fixed(entry["deliveries_per_s"] / 1e6, 1) for entry in (ours, theirs)]
    told = (
        f"**Потоки выполнения.** С пачками p99 — {p99(ours)} мс у шага 4 и {p99(theirs)} мс у "
        f"asyncio: {leader(late, FAR)}. Наибольшая скорость — {millions[0]} и {millions[1]} млн "
        f"доставок в секунду: {leader(fast, ALIKE)}."
    )
    if fast < 1 / ALIKE:
        told += (
            " Asyncio обходится одним потоком выполнения: без очереди событий между потоками и без "
            "переключений. Какая часть разницы приходится на них, здесь не измерено."
        )
        busy = [entry["server_cpu_percent"] for entry in (ours, theirs)]
        if all(busy):
            told += (
                f" Сервер шага 4 при этом занимал {percent(busy[0])} процессорного ядра, сервер "
                f"asyncio — {percent(busy[1])}."
            )
    return told


def leader(better: float, limit: float) -> str:
    """Say who is ahead, if step 4 is better than asyncio by a factor above a limit."""
    factor = max(better, 1 / better)
    if factor <= limit:
        return f"разница невелика, в {times(factor)}"
    return f"впереди {'шаг 4' if better > 1 else 'asyncio'}"


def gain(batched: dict, single: dict) -> tuple[float, float]:
    """Return how many times smaller p99 is with batches, and how many times more is delivered."""
    speeds = batched["deliveries_per_s"], single["deliveries_per_s"]
    return single["p99_ms"] / batched["p99_ms"], speeds[0] / max(speeds[1], 1)


def effect(title: str, gains: tuple[float, float]) -> str:
    """Say what batches do to one chat."""
    latency, speed = gains
    told = []
    ways = ((latency, "меньше", "больше", "тот"), (speed, "больше", "меньше", "то"))
    for factor, better, worse, same in ways:
        size = max(factor, 1 / factor)
        change = f"{better if factor > 1 else worse} в {times(size)}"
        told.append(change if size > ALIKE else f"почти {same} же")
    return f"{title}: с пачками p99 {told[0]}, число доставок в секунду {told[1]}."


def verdict(batches: float, threads: float) -> str:
    """Say whether batches or threads make a chat fast."""
    if batches > ALIKE * threads:
        return (
            f"Значит, пропускную способность определяют прежде всего пачки (не меньше чем в "
            f"{times(batches)}), а не выбор между потоками выполнения и asyncio "
            f"(в {times(threads)})."
        )
    return "По этому запуску нельзя сказать, что пачки важнее выбора способа выполнения."


def carried(summary: dict) -> str:
    """Say how much one call of `send` carries, and that this alone is no reason for speed."""
    carry = {name: summary["batch"][name]["messages_per_send"] for name in NAMES}
    rate = summary["batch"]["step4"]["rate_per_s"]
    told = listed([f"{number(carry[name])} — {TITLES[name]}" for name in NAMES])
    text = f"При {at_messages(rate)} в секунду один вызов `send` несёт в среднем сообщений: {told}."
    late, ours = (summary["rate"][name].get(str(rate)) for name in ("step3", "step4"))
    if carry["step3"] <= 1.1 or not late or not ours:
        return text
    text += (
        " У шага 3 это не пачки: сообщения склеились, пока ждали в приёмном буфере сервера, и "
        "остались без авторов."
    )
    more, slower = carry["step3"] / carry["step4"], late["p99_ms"] / ours["p99_ms"]
    if more > 1 / FAR and slower > FAR:
        share = "больше, чем" if more > FAR else "почти столько же, сколько"
        text += (
            f" Вызов шага 3 несёт {share} вызов шага 4, а p99 у него больше в {times(slower)}: "
            "много сообщений в одном вызове сами по себе скорости не дают."
        )
    return text


def generator(summary: dict) -> str:
    """Say where the load generator itself was late or busy, so that it is not the server's."""
    entries = [entry for name in NAMES for entry in summary["rate"][name].values()]
    late = rates_where(summary, lambda e: e["sent_late_p99_ms"] > e["p99_ms"] * LATE / 100)
    busiest = max(entry["generator_cpu_percent"] for entry in entries)
    punctual = (
        "Задержка считается от момента, когда сообщение должно было уйти, и включает опоздание "
        f"самого генератора. Больше половины p99 оно составило здесь: {late} сообщ./с. Эти точки "
        "показывают возможности пары «сервер и генератор», а не одного сервера."
        if late
        else "Опоздания отправки нет: генератор нигде не отставал от расписания больше чем на "
        "половину p99."
    )
    idle = f"Генератор занимал до {percent(busiest)} своего процессорного ядра"
    return f"{punctual} {idle}" + (
        ": под большой нагрузкой колено принадлежит паре «сервер и генератор», а не одному серверу."
        if busiest > BUSY
        else "."
    )


def rates_where(summary: dict, holds: Callable[[dict], bool]) -> str:
    """Return the servers and rates for which something holds; nothing if there are none."""
    told = []
    for name in NAMES:
        found = sorted(int(rate) for rate, entry in summary["rate"][name].items() if holds(entry))
        if found:
            told.append(f"{TITLES[name]} при {listed([fixed(rate, 0) for rate in found])}")
    return "; ".join(told)


def stall_of(name: str, entry: dict) -> str:
    """Say what the healthy clients of a server got while one had stopped reading."""
    title = TITLES[name].capitalize()
    got = (
        f"здоровые клиенты получили {fixed(entry['received'], 0)} из "
        f"{of_messages(entry['expected'])} ({received(entry)})"
    )
    gap, latest = (microseconds(1e6 * entry[key]) for key in ("longest_gap_s", "worst_late_s"))
    if entry["silent_at_end_s"] >= FROZEN:
        runs = counted(entry["runs"], "прогон", "прогона", "прогонов")
        silence = f"последние {number(entry['silent_at_end_s'])} с не приходило ничего"
        return f"**{title} остановился для всех.** За {runs} {got}; {silence}."
    if entry["received"] < entry["expected"]:
        return f"**{title} потерял сообщения:** {got}; самый долгий перерыв — {gap}."
    ending = ""
    if entry["cut_off"]:
        later = number(entry["cut_off_s"] - entry["stalled_at_s"])
        ending = f"; того, кто перестал читать, сервер отключил через {later} с"
    return (
        f"**{title} не остановился:** {got}; самый долгий перерыв — {gap}{ending}. Тот из них, кто "
        f"только читал, ждал самое позднее сообщение {latest}; больше чем на "
        f"{microseconds(LATE_US)} опоздали {percent(entry['late_percent'])} сообщений."
    )


def received(entry: dict) -> str:
    """Return the share that was received, rounded down: 100 % is all, and nothing less."""
    if entry["received"] == entry["expected"]:
        return f"100{SPACE}%"
    return f"{fixed(math.floor(1000 * entry['received'] / entry['expected']) / 10, 1)}{SPACE}%"


def stall(summary: dict) -> str:
    """Say what one stopped reader did to the others, and that a median hides it."""
    entries = summary["stall"]
    volume = min(entry["bytes_for_stalled"] for entry in entries.values()) / 1e6
    told = "\n\n".join(stall_of(name, entry) for name, entry in entries.items())
    hidden = [name for name in entries if entries[name]["silent_at_end_s"] >= FROZEN]
    median = (
        "По медиане пришедших этого не видно: "
        + listed([f"{TITLES[n]} — {number(entries[n]['arrived_p50_ms'])} мс" for n in hidden])
        + ". Поэтому здесь сосчитано и то, что не пришло."
        if hidden
        else "Сосчитано и то, что не пришло: по одной медиане остановившийся сервер не отличить."
    )
    return (
        "Клиенту, который перестал читать, за это время предназначалось не менее "
        f"{number(volume)} МБ.\n\n{told}\n\n{median}"
    )


def nagle(summary: dict) -> str:
    """Say what Nagle's algorithm costs, and why not every broadcast waits."""
    on, off = summary["nagle"][WITH], summary["nagle"][WITHOUT]
    usual = f"С `TCP_NODELAY` 99 % рассылок завершены за {number(on['p99_ms'])} мс."
    if off["waited_percent"] <= on["waited_percent"] + 1:
        return (
            f"{usual} Без него p99 — {number(off['p99_ms'])} мс: на этой системе ожидания "
            "отложенного подтверждения не видно."
        )
    median = f"Медиана задержки по всем доставкам — {number(off['delivery_p50_ms'])} мс"
    hidden = off["delivery_p50_ms"] < off["wait_ms"] / 2
    return (
        f"{usual} Без него {percent(off['waited_percent'])} рассылок ждут: обычно "
        f"{number(off['wait_ms'], 3)} мс. Столько ядро ОС получателя держит подтверждение, "
        "надеясь отправить его вместе с данными, а алгоритм Нейгла на сервере тем временем "
        f"не выпускает следующее короткое сообщение. {median}"
        f"{': она этого не показывает' if hidden else ''}.\n\n{cause(summary)}"
    )


def cause(summary: dict) -> str:
    """Say who is waited for and how often, and whether that explains the share that waits."""
    found, alone = summary["nagle"]["cause"], summary["nagle"][ALONE]
    share, alternate = found["spoke_two_before_percent"], found["alternate_percent"]
    told = (
        "**Почему ждут не все.** В рассылке, которая ждёт, опоздавших получателей обычно "
        f"{fixed(found['late_recipients'], 0)}; в {percent(share)} случаев опоздавший — тот, кто "
        f"сам отправлял за два сообщения до неё. Из двух соседних рассылок ровно одна ждёт в "
        f"{percent(alternate)} случаев. Когда отправляет всё время один и тот же клиент, ждут "
        f"{percent(alone['waited_percent'])} рассылок."
    )
    if share < MOSTLY or alternate < MOSTLY or alone["waited_percent"] > SELDOM:
        return f"{told} Простого правила за этими числами не видно."
    return (
        f"{told} Отсюда причина. Кто недавно отправлял, для того ядро ОС ждёт нового ответа и не "
        "спешит с подтверждением. Первое сообщение после своего он получает сразу, но не "
        "подтверждает; второе сервер из-за этого придерживает. За время ожидания истекают "
        "отсрочки у всех, следующая рассылка застаёт всё подтверждённым и проходит сразу, а за ней "
        "всё повторяется: ждёт каждая вторая. Кто только читает, подтверждает сразу, поэтому один "
        "отправитель никого не задерживает."
    )


def cost_table(summary: dict) -> str:
    """Return the phases of a broadcast of all servers."""
    header = ["Сервер", "до первого `send`", "внутри `send`", "между вызовами",
              "после последнего", "всего, мкс", "цена замера"]  # fmt: skip
    rows = []
    for name in NAMES:
        entry = summary["share"][name]
        cells = [percent(entry[f"{phase}_percent"]) for phase in PHASES]
        rows.append(
            [TITLES[name], *cells, fixed(entry["total_us"], 0), percent(entry["noting_percent"])]
        )
    return table(header, rows)


def cost(summary: dict) -> str:
    """Say where the time of a broadcast goes."""
    entry = summary["share"]["step4"]
    largest = max(PHASES, key=lambda phase: entry[f"{phase}_us"])
    recipients = summary["parameters"]["cost_users"] - 1
    main = (
        f"Больше всего времени рассылки шага 4 уходит внутри `send`: "
        f"{percent(entry['send_percent'])}."
        if largest == "send"
        else f"Внутри `send` шаг 4 проводит {percent(entry['send_percent'])} времени рассылки; "
        "это не самая большая часть."
    )
    noting = [summary["share"][name]["noting_percent"] for name in NAMES]
    return (
        f"{main} На Python между вызовами остаётся {percent(entry['between_percent'])}. Один "
        f"`send` стоит {number(entry['us_per_send'])} мкс, получателей {recipients}."
        f"{before(summary)}\n\nСам замер вызовов стоил от {number(min(noting))} до "
        f"{percent(max(noting))} времени рассылки (измерено на пустом вызове в том же процессе); "
        "эта цена вычтена."
    )


def before(summary: dict) -> str:
    """Set the broadcast beside that of section 1, if there was such a room."""
    entry = summary["latency"]["step4"].get(str(summary["parameters"]["cost_users"]))
    if entry is None:
        return ""
    total = microseconds(summary["share"]["step4"]["total_us"])
    return f" В разделе 1 такая же рассылка длилась {interval(entry, 'last')}, здесь — {total}."


def counts(summary: dict) -> str:
    """Say how much was counted, and how quiet the machine was."""
    entry = summary["counts"]
    runs = counted(entry["runs"], "прогон", "прогона", "прогонов")
    long = counted(entry["measurable_runs"], "прогона", "прогонов", "прогонов")
    limit = f"больше {percent(entry['disturbed_limit_percent'])} процессорного ядра"
    quiet = (
        f"В {fixed(entry['disturbed_runs'], 0)} из {long}, где это измеримо, чужие процессы "
        f"занимали {limit}."
    )
    if 2 * entry["disturbed_runs"] > entry["measurable_runs"]:
        advice = "закройте другие программы и повторите его"
        quiet += f" **Числам этого запуска верить нельзя:** {advice}."
    again = counted(entry["repeated"], "прогон повторён", "прогона повторены", "прогонов повторено")
    return (
        f"Всего {runs}, {fixed(entry['expected'], 0)} ожидаемых доставок, "
        f"{fixed(entry['received'], 0)} пришедших вовремя. {quiet} Ещё {again} по этой причине."
    )


def answer(summary: dict) -> str:
    """Answer the question of the notebook, in a few lines."""
    entry = summary["fit"]["step4"]
    users = reference_size(summary)
    last = summary["latency"]["step4"][str(users)]["last_us"]
    line = (
        "Время рассылки растёт по прямой"
        if goal_of(entry)
        else "Время рассылки растёт с числом получателей, но не точно по прямой"
    )
    return (
        f"**Ещё один клиент стоит {number(entry['us_per_recipient'])} мкс** на каждую рассылку "
        f"шага 4 (95 % интервал {number(entry['us_per_recipient_low'])} … "
        f"{number(entry['us_per_recipient_high'])} мкс): до последнего из "
        f"{counted(users - 1, 'получателя', 'получателей', 'получателей')} сообщение доходит "
        f"за {microseconds(last)}. {line}.\n\n{stopped(summary)} {batching(summary)}"
    )


def stopped(summary: dict) -> str:
    """Say whom one client stops that does not read."""
    frozen = [n for n, found in summary["stall"].items() if found["silent_at_end_s"] >= FROZEN]
    if not frozen:
        return "Клиент, который перестал читать, в этом запуске никого не остановил."
    verb = "останавливается" if len(frozen) == 1 else "останавливаются"
    return (
        f"Куда дороже один клиент, который перестал читать: {listed([TITLES[n] for n in frozen])} "
        f"{verb} для всех."
    )


def batching(summary: dict) -> str:
    """Say what batches do to step 4, in one sentence."""
    _, speed = gain(summary["compared"]["step4"], summary["compared"]["single"])
    if speed <= ALIKE:
        return "Рассылка пачками в этом запуске скорости не прибавила."
    return (
        "Под нагрузкой помогают пачки: тот же сервер с пачками доставляет в "
        f"{times(speed)} больше, чем отправляя каждое сообщение отдельно."
    )


def files(hashes: dict[str, str], folder: Path | None = None) -> str:
    """Return the files of a run with the beginnings of their SHA-256, and where they are."""
    found = table(["Файл", "SHA-256"], [[f"`{n}`", f"`{h[:16]}`"] for n, h in hashes.items()])
    return f"Папка: `{folder}`\n\n{found}" if folder else found


def duration(seconds: float) -> str:
    """Say how long the run has taken."""
    return f"Запуск длился {counted(round(seconds), 'секунду', 'секунды', 'секунд')}."
