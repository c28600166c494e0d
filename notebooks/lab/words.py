"""The sentences of the notebook that the data decides: each function words its part of a summary.

Nothing here is true by assumption: another machine's summary gives other numbers and, where the
facts are others, other words.
"""

import math
from collections.abc import Callable
from pathlib import Path

from lab.analysis import LATE_US
from lab.experiments import CHATS, NAMES, PHASES, WITH, WITHOUT
from lab.figures import TITLES
from lab.parameters import STALL_AT, Parameters
from lab.russian import SPACE, counted, fixed, listed, microseconds, number, percent, times

STRAIGHT = 0.98  # R² from which a line describes the data
NEAR = 15.0  # percent: residuals up to this are called small
ALL = 95  # percent of a latency that are as good as all of it
FLOOR = 50  # percent of a latency from which the forwarder's share dominates
LATE = 50  # percent of p99 from which the generator's own lateness dominates
BUSY = 90  # percent of a core from which the generator itself is the limit
FROZEN = 0.5  # seconds of silence at the end that make a freeze
AMOUNTS = (
    "repeats",
    "bootstrap",
    "sizes",
    "messages",
    "deliveries",
    "rates",
    "rate_seconds",
    "stall_seconds",
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


def fastest(summary: dict, users: int) -> tuple[str, bool]:
    """Return the fastest chat in a room, and whether its interval is apart from all others."""
    found = {name: summary["latency"][name][str(users)] for name in CHATS}
    first = min(CHATS, key=lambda name: found[name]["last_us"])
    others = [found[name]["last_low_us"] for name in CHATS if name != first]
    return first, found[first]["last_high_us"] < min(others)


def latency(summary: dict) -> str:
    """Say who is fastest, whether the difference is beyond chance, and how latency grows."""
    users, sizes = reference_size(summary), summary["parameters"]["sizes"]
    first, apart = fastest(summary, users)
    here = f"При {at_clients(users)} быстрее всех чатов {TITLES[first]}"
    winners = [fastest(summary, size) for size in sizes]
    clear = winners.count((first, True))
    if summary["parameters"]["repeats"] == 1:
        verdict = f"{here}; повтор один, и разброса между запусками не видно."
    elif apart and 2 * clear > len(sizes):
        verdict = (
            f"{here}. Его интервал не пересекается с интервалами других ни здесь, ни в большинстве "
            f"комнат (всего — {clear} из {len(sizes)}): разница больше разброса этого запуска."
        )
    elif any(name != first for name, _ in winners):
        verdict = f"Порядок чатов меняется с размером комнаты: {order(sizes, winners)}."
    else:
        verdict = (
            f"{here}, но интервалы чатов пересекаются в половине комнат или чаще: уверенно "
            "назвать быстрейшего по этому запуску нельзя."
        )
    return f"{verdict}\n\n{growth(summary)}"


def order(sizes: list[int], winners: list[tuple[str, bool]]) -> str:
    """Say in which rooms each chat was the fastest, and in how many of them clearly."""
    told = []
    for name in CHATS:
        won = [size for size, (winner, _) in zip(sizes, winners, strict=True) if winner == name]
        if won:
            rooms = listed([fixed(size, 0) for size in won])
            clear = winners.count((name, True))
            sure = f"интервалы не пересекаются в {clear} из {len(won)}"
            told.append(
                f"{TITLES[name]} быстрее других, когда клиентов {rooms} "
                f"({sure if clear else 'но интервалы пересекаются'})"
            )
    return "; ".join(told)


def at_clients(users: int) -> str:
    """Return the number of clients as it stands after «при»."""
    return counted(users, "клиенте", "клиентах", "клиентах")


def growth(summary: dict) -> str:
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
    told = listed([f"{TITLES[name]} — {part_of(share)}" for name, share in shares.items()])
    dominated = [TITLES[name] for name, share in shares.items() if share > FLOOR]
    verdict = (
        f"Больше половины времени ({listed(dominated)}) — это не чат, а системные вызовы, "
        "пробуждение получателей и сам генератор нагрузки: разницу между серверами здесь надо "
        "отсчитывать от ретранслятора, а не от нуля."
        if dominated
        else "Ни у одного чата эта часть не превышает половины: видны прежде всего сами серверы."
    )
    if any(share > 100 for share in shares.values()):
        verdict += (
            " Быть быстрее ретранслятора чат может по двум причинам: разница меньше разброса или "
            "зависит от того, как делятся ядра."
        )
    return (
        f"Ретранслятор, который не знает ни имён, ни сообщений, доводит рассылку до последнего "
        f"получателя за {microseconds(bare)} при {at_clients(int(users))}. От времени чатов это: "
        f"{told}. {verdict}"
    )


def part_of(share: float) -> str:
    """Return the forwarder's part of a latency in words."""
    if share > 100:
        return f"{percent(share, 3)} (он даже быстрее ретранслятора)"
    return percent(share) if share < ALL else "практически всё"


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
                fixed(entry["r2"], 3),
                percent(entry["worst_residual_percent"]),
            ]
        )
    return table(header, rows)


def fit(summary: dict) -> str:
    """Say whether latency is a straight line, and what its slope means."""
    bad = [name for name in NAMES if summary["fit"][name]["r2"] < STRAIGHT]
    worst = max(summary["fit"][name]["worst_residual_percent"] for name in NAMES)
    straight = (
        f"Прямая объясняет не менее {percent(100 * STRAIGHT)} разброса у всех серверов."
        if not bad
        else f"Не вполне прямая: {listed([TITLES[name] for name in bad])} "
        f"(R² меньше {fixed(STRAIGHT, 2)}); наклон — лишь средняя цена получателя."
    )
    residuals = (
        f"Остатки не больше {percent(worst)}."
        if worst <= NEAR
        else f"Остатки доходят до {percent(worst)}: цена получателя не вполне постоянна. Чем это "
        "вызвано, здесь не измерено."
    )
    return f"{straight} {residuals}\n\n{slope(summary)}"


def slope(summary: dict) -> str:
    """Say what the slope of step 4 is made of."""
    price = summary["fit"]["step4"]["us_per_recipient"]
    send = summary["share"]["step4"]["us_per_send"]
    meaning = (
        f"Сам вызов `send` (раздел 5), вместе с пробуждением получателя, — {number(send)} мкс, "
        f"{percent(100 * send / price)} этой цены; остальное — Python вокруг него и получатели, "
        "которые читают на тех же ядрах."
        if send < price
        else f"Вызов `send` (раздел 5) стоит {number(send)} мкс, не меньше наклона: разделы "
        "измерены в разных прогонах."
    )
    return f"У шага 4 каждый следующий получатель добавляет {number(price)} мкс. {meaning}"


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
        return f"{TITLES[name]} превысил предел {limit} уже при {at_messages(broken)} в секунду"
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
    """Say where each server breaks and whether batching moves the knee."""
    limit = f"{number(summary['parameters']['limit_ms'])} мс"
    told = "; ".join(knee_of(name, summary["knee"][name], limit) for name in NAMES)
    return f"{told[0].upper()}{told[1:]}. {lost(summary)}\n\n{batches(summary)}"


def batches(summary: dict) -> str:
    """Say how much one call of `send` carries, and whether that moves the knee."""
    ours, theirs = (summary["knee"][name]["rate_per_s"] or 0 for name in ("step4", "asyncio"))
    batch = {name: summary["batch"][name]["messages_per_send"] for name in NAMES}
    calls = (
        f"При {at_messages(summary['batch']['step4']['rate_per_s'])} в секунду один вызов `send` "
        f"несёт в среднем {number(batch['step4'])} сообщ. у шага 4, {number(batch['asyncio'])} у "
        f"asyncio и {number(batch['forwarder'])} у ретранслятора"
    )
    if ours > theirs and batch["step4"] > 1.1 * batch["asyncio"]:
        why = f"{calls}: чем больше ждёт, тем больше уходит одним вызовом, и колено сдвигается."
    elif ours > theirs:
        why = f"{calls}: пачками сдвиг колена здесь не объяснить."
    else:
        why = f"{calls}. Колено шага 4 на этой машине не дальше, чем у asyncio."
    if batch["step3"] > 1.1:
        why += (
            f" У шага 3 вызов несёт {number(batch['step3'])}, но это следствие опоздания, а не "
            "средство от него: сообщения слиплись, пока ждали в приёмном буфере, и лишились "
            "авторов."
        )
    return why


def generator(summary: dict) -> str:
    """Say where the load generator itself was late or busy, so that it is not the server's."""
    late = rates_where(summary, lambda e: e["sent_late_p99_ms"] > e["p99_ms"] * LATE / 100)
    busy = rates_where(summary, lambda e: e["generator_cpu_percent"] > BUSY)
    punctual = (
        "Задержка считается от момента, когда сообщение должно было уйти, и включает опоздание "
        f"самого генератора. Больше половины p99 оно составило здесь: {late} сообщ./с. Эти точки "
        "показывают предел пары «сервер и генератор» на общих ядрах, а не одного сервера."
        if late
        else "Опоздания отправки нет: генератор нигде не отставал от расписания больше чем на "
        "половину p99."
    )
    idle = (
        f"Генератор сам занимал больше {percent(BUSY)} ядра: {busy} сообщ./с. Там колено "
        "принадлежит паре «сервер и генератор», а не одному серверу."
        if busy
        else f"Больше {percent(BUSY)} ядра генератор нигде не занимал."
    )
    return f"{punctual} {idle}"


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
        return (
            f"**{title} замер.** За {counted(entry['runs'], 'прогон', 'прогона', 'прогонов')} "
            f"{got}; последние {number(entry['silent_at_end_s'])} с — тишина."
        )
    if entry["received"] < entry["expected"]:
        return f"**{title} потерял сообщения:** {got}; самый долгий перерыв — {gap}."
    ending = ""
    if entry["cut_off"]:
        later = number(entry["cut_off_s"] - STALL_AT)
        ending = f"; замолчавшего сервер отключил через {later} с"
    return (
        f"**{title} не замер:** {got}; самый долгий перерыв — {gap}{ending}. Тот из них, кто "
        f"только слушал, ждал самое позднее сообщение {latest}; больше чем на "
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
        "Медиана пришедших об этом молчит: "
        + listed([f"{TITLES[n]} — {number(entries[n]['arrived_p50_ms'])} мс" for n in hidden])
        + ", будто ничего не случилось. Поэтому здесь сосчитано и то, что не пришло."
        if hidden
        else "Сосчитано и то, что не пришло: по одной медиане замерший сервер не отличить."
    )
    return (
        f"Замолчавшему клиенту за это время предназначалось не менее {number(volume)} МБ.\n\n"
        f"{told}\n\n{median}"
    )


def nagle(summary: dict) -> str:
    """Say what Nagle's algorithm costs."""
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
        f"{number(off['wait_ms'], 3)} мс. Столько ядро получателя держит подтверждение, "
        "надеясь отправить его вместе с данными, а алгоритм Нейгла на сервере тем временем "
        f"не выпускает следующее короткое сообщение. {median}"
        f"{': она этого не показывает' if hidden else ''}."
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
    """Compare the broadcast with that of section 1, if there was such a room."""
    users, total = summary["parameters"]["cost_users"], summary["share"]["step4"]["total_us"]
    entry = summary["latency"]["step4"].get(str(users))
    if entry is None:
        return ""
    told = f" В разделе 1 такая же рассылка длилась {interval(entry, 'last')}, здесь — "
    told += microseconds(total)
    if entry["last_low_us"] <= total <= entry["last_high_us"]:
        return f"{told}, в пределах того интервала."
    return f"{told}: от запуска к запуску время меняется больше, чем внутри одного."


def counts(summary: dict) -> str:
    """Say how much was counted, and how quiet the machine was."""
    entry = summary["counts"]
    runs = counted(entry["runs"], "прогон", "прогона", "прогонов")
    long = counted(entry["measurable_runs"], "прогона", "прогонов", "прогонов")
    limit = f"больше {percent(entry['disturbed_limit_percent'])} ядра"
    if not entry["measurable_runs"]:
        quiet = "Мешали ли им чужие процессы, в таких коротких прогонах не измерить."
    elif not entry["disturbed_runs"]:
        quiet = f"Ни в одном из {long}, где это измеримо, чужие процессы не занимали {limit}."
    else:
        quiet = (
            f"В {fixed(entry['disturbed_runs'], 0)} из {long}, где это измеримо, чужие процессы "
            f"занимали {limit}."
        )
    return (
        f"Всего {runs}, {fixed(entry['expected'], 0)} ожидаемых доставок, "
        f"{fixed(entry['received'], 0)} пришедших вовремя. {quiet}"
    )


def answer(summary: dict) -> str:
    """Answer the question of the notebook."""
    entry = summary["fit"]["step4"]
    users = reference_size(summary)
    last = summary["latency"]["step4"][str(users)]["last_us"]
    frozen = [n for n, found in summary["stall"].items() if found["silent_at_end_s"] >= FROZEN]
    stopped = (
        f"Куда дороже один клиент, который перестал читать: {listed([TITLES[n] for n in frozen])} "
        f"{'останавливается' if len(frozen) == 1 else 'останавливаются'} для всех."
        if frozen
        else "Клиент, который перестал читать, в этом прогоне никого не остановил."
    )
    return (
        f"**Ещё один клиент стоит {number(entry['us_per_recipient'])} мкс** на каждую рассылку "
        f"шага 4 (95 % интервал {number(entry['us_per_recipient_low'])} … "
        f"{number(entry['us_per_recipient_high'])} мкс): до последнего из "
        f"{counted(users - 1, 'получателя', 'получателей', 'получателей')} сообщение доходит "
        f"за {microseconds(last)}. {stopped}"
    )


def files(hashes: dict[str, str], folder: Path | None = None) -> str:
    """Return the files of a run with the beginnings of their SHA-256, and where they are."""
    found = table(["Файл", "SHA-256"], [[f"`{n}`", f"`{h[:16]}`"] for n, h in hashes.items()])
    return f"Папка: `{folder}`\n\n{found}" if folder else found
