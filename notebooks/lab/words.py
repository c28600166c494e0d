"""The sentences of the notebook that the data decides: each function words its part of a summary.

Nothing here is true by assumption: another machine's summary gives other numbers and, where the
facts are others, other words.
"""

from lab.experiments import CHATS, NAMES, PHASES, WITH, WITHOUT
from lab.figures import TITLES
from lab.parameters import STALL_AT, Parameters
from lab.russian import counted, fixed, listed, microseconds, number, percent, times

STRAIGHT = 0.98  # R² from which a line describes the data
NEAR = 15.0  # percent: residuals up to this are called small
ALL = 95  # percent of a latency that are as good as all of it
FLOOR = 50  # percent of a latency from which the forwarder's share dominates
LATE = 50  # percent of p99 from which the generator's own lateness dominates
FROZEN = 0.5  # seconds of silence at the end that make a freeze


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
    """Say which parameters differ from those of a full run."""
    changed = [name for name, value in vars(chosen).items() if value != getattr(full, name)]
    if not changed:
        return "Параметры — полного запуска."
    told = ", ".join(f"`{name}={getattr(chosen, name)}`" for name in changed)
    return f"**Не полный запуск:** {told}. Судить по нему о серверах нельзя."


def latency_table(summary: dict) -> str:
    """Return the latencies of all servers in the room that the text speaks of."""
    users = str(reference_size(summary))
    header = [f"{users} клиентов", "p50", "p95", "p99", "последний (95 % интервал)"]
    rows = []
    for name in NAMES:
        entry = summary["latency"][name][users]
        cells = [microseconds(entry[f"{measure}_us"]) for measure in ("p50", "p95", "p99")]
        rows.append([TITLES[name], *cells, interval(entry, "last")])
    return table(header, rows)


def latency(summary: dict) -> str:
    """Say who is fastest, whether the difference is beyond chance, and how latency grows."""
    users = reference_size(summary)
    found = {name: summary["latency"][name][str(users)] for name in CHATS}
    order = sorted(CHATS, key=lambda name: found[name]["last_us"])
    first, second = order[:2]
    names = f"{TITLES[first]} и {TITLES[second]}"
    if summary["parameters"]["repeats"] == 1:
        verdict = f"Быстрее других {names}; повтор один, и разброса между запусками не видно."
    elif found[first]["last_high_us"] < found[second]["last_low_us"]:
        verdict = (
            f"Быстрее всех чатов {TITLES[first]}: его интервал не пересекается с интервалом "
            f"следующего ({TITLES[second]}), разница больше разброса этого запуска."
        )
    else:
        verdict = (
            f"Быстрее других чатов {names}, но их интервалы пересекаются: кто из двоих быстрее, "
            "этот запуск не различает."
        )
    return f"{verdict}\n\n{growth(summary)}"


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
    told = listed(
        [f"{TITLES[n]} — {percent(s) if s < ALL else 'практически всё'}" for n, s in shares.items()]
    )
    dominated = [TITLES[name] for name, share in shares.items() if share > FLOOR]
    verdict = (
        f"Больше половины времени ({listed(dominated)}) — это не чат, а системные вызовы, "
        "пробуждение получателей и сам генератор нагрузки: разницу между серверами здесь надо "
        "отсчитывать от ретранслятора, а не от нуля."
        if dominated
        else "Ни у одного чата эта часть не превышает половины: видны прежде всего сами серверы."
    )
    return (
        f"Ретранслятор, который не знает ни имён, ни сообщений, доводит рассылку до последнего "
        f"получателя за {microseconds(bare)} при {users} клиентах. От времени чатов это: {told}. "
        f"{verdict}"
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
        else f"Остатки доходят до {percent(worst)}: цена получателя не вполне постоянна, она "
        "зависит от размера комнаты (кеш процессора, занятость ядер)."
    )
    return f"{straight} {residuals}\n\n{slope(summary)}"


def slope(summary: dict) -> str:
    """Say what the slope of step 4 is made of."""
    price = summary["fit"]["step4"]["us_per_recipient"]
    send = summary["share"]["step4"]["us_per_send"]
    meaning = (
        f"Сам вызов `send` (раздел 5) — {number(send)} мкс, {percent(100 * send / price)} этой "
        "цены; остальное — Python вокруг него, пробуждение получателей и генератор."
        if send < price
        else f"Вызов `send` (раздел 5) стоит {number(send)} мкс: кроме него, в наклоне ничего нет."
    )
    return f"У шага 4 каждый следующий получатель добавляет {number(price)} мкс. {meaning}"


def rate_table(summary: dict) -> str:
    """Return p99 of all servers at all rates, and the knee."""
    rates = summary["parameters"]["rates"]
    rows = []
    for name in NAMES:
        cells = [number(summary["rate"][name][str(rate)]["p99_ms"]) for rate in rates]
        rows.append([TITLES[name], *cells])
    return table(["p99, мс, при сообщений/с", *(fixed(rate, 0) for rate in rates)], rows)


def knee_of(name: str, knee: dict, limit: str) -> str:
    """Say up to which rate a server keeps pace."""
    held, broken = knee["rate_per_s"], knee["broken_per_s"]
    if broken is None:
        return f"{TITLES[name]} выдержал все частоты, до {fixed(held, 0)} сообщений в секунду"
    if held is None:
        at = fixed(broken, 0)
        return f"{TITLES[name]} превысил предел {limit} уже при {at} сообщениях в секунду"
    return (
        f"{TITLES[name]} держит {fixed(held, 0)} и не держит {fixed(broken, 0)} сообщений в секунду"
    )


def rate(summary: dict) -> str:
    """Say where each server breaks and whether batching moves the knee."""
    limit = f"{number(summary['parameters']['limit_ms'])} мс"
    told = "; ".join(knee_of(name, summary["knee"][name], limit) for name in NAMES)
    ours, theirs = (summary["knee"][name]["rate_per_s"] or 0 for name in ("step4", "asyncio"))
    batch = {name: summary["batch"][name]["messages_per_send"] for name in CHATS}
    at = fixed(summary["batch"]["step4"]["rate_per_s"], 0)
    calls = (
        f"При {at} сообщениях в секунду один вызов `send` несёт в среднем "
        f"{number(batch['step4'])} сообщения у шага 4 и {number(batch['asyncio'])} у asyncio"
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
    return f"{told[0].upper()}{told[1:]}.\n\n{why}"


def generator(summary: dict) -> str:
    """Say where the load generator itself was late, so that its lateness is not the server's."""
    told = []
    for name in NAMES:
        found = summary["rate"][name].items()
        late = [int(r) for r, e in found if e["sent_late_p99_ms"] > e["p99_ms"] * LATE / 100]
        if late:
            told.append(f"{TITLES[name]} при {listed([fixed(at, 0) for at in sorted(late)])}")
    if not told:
        return (
            "Генератор нагрузки нигде не отставал от расписания больше чем на половину p99: "
            "задержки принадлежат серверам."
        )
    return (
        "Задержка считается от момента, когда сообщение должно было уйти, и включает опоздание "
        "самого генератора. Больше половины p99 оно составило здесь: "
        f"{'; '.join(told)} сообщениях в секунду. Эти точки показывают предел пары «сервер и "
        "генератор» на общих ядрах, а не одного сервера."
    )


def stall_of(name: str, entry: dict) -> str:
    """Say what the healthy clients of a server got while one had stopped reading."""
    title = TITLES[name].capitalize()
    got = (
        f"здоровые клиенты получили {fixed(entry['received'], 0)} из "
        f"{counted(entry['expected'], 'сообщения', 'сообщений', 'сообщений')} "
        f"({percent(entry['received_percent'], 3)})"
    )
    gap = f"{number(entry['longest_gap_s'])} с"
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
    return f"**{title} не замер:** {got}; самый долгий перерыв — {gap}{ending}."


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
    if off["waited_percent"] > on["waited_percent"] + 1:
        return (
            f"{usual} Без него {percent(off['waited_percent'])} рассылок ждут: обычно "
            f"{number(off['wait_ms'], 3)} мс. Столько ядро получателя держит подтверждение, "
            "надеясь отправить его вместе с данными, а алгоритм Нейгла на сервере тем временем "
            "не выпускает следующее короткое сообщение. Медиана задержки по всем доставкам — "
            f"всего {number(off['delivery_p50_ms'])} мс: она этого не показывает."
        )
    return (
        f"{usual} Без него p99 — {number(off['p99_ms'])} мс: на этой системе ожидания "
        "отложенного подтверждения не видно."
    )


def cost_table(summary: dict) -> str:
    """Return the phases of a broadcast of all servers."""
    header = ["Сервер", "до первого `send`", "внутри `send`", "между вызовами",
              "после последнего", "всего, мкс", "цена записи"]  # fmt: skip
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
    python = entry["between_percent"]
    users = summary["parameters"]["cost_users"]
    main = (
        f"Больше всего времени рассылки шага 4 уходит внутри `send`: "
        f"{percent(entry['send_percent'])}."
        if largest == "send"
        else f"Внутри `send` шаг 4 проводит {percent(entry['send_percent'])} времени рассылки; "
        "это не самая большая часть."
    )
    noting = [summary["share"][name]["noting_percent"] for name in NAMES]
    return (
        f"{main} На Python между вызовами остаётся {percent(python)}. Один `send` стоит "
        f"{number(entry['us_per_send'])} мкс, получателей {users - 1}.\n\nСама запись вызовов "
        f"стоила от {number(min(noting))} до {percent(max(noting))} времени рассылки (измерено на "
        "пустом вызове в том же процессе); эта цена вычтена."
    )


def counts(summary: dict) -> str:
    """Say how much was counted, and how quiet the machine was."""
    entry = summary["counts"]
    runs = counted(entry["runs"], "прогон", "прогона", "прогонов")
    quiet = (
        "Ни в одном прогоне чужие процессы не занимали больше "
        if not entry["disturbed_runs"]
        else f"В {fixed(entry['disturbed_runs'], 0)} из них чужие процессы занимали больше "
    )
    return (
        f"Всего {runs}, {fixed(entry['expected'], 0)} ожидаемых доставок, "
        f"{fixed(entry['received'], 0)} пришедших вовремя. {quiet}"
        f"{entry['disturbed_limit_percent']} % ядра."
    )


def answer(summary: dict) -> str:
    """Answer the question of the notebook."""
    entry = summary["fit"]["step4"]
    users = reference_size(summary)
    last = summary["latency"]["step4"][str(users)]["last_us"]
    frozen = [n for n, found in summary["stall"].items() if found["silent_at_end_s"] >= FROZEN]
    stopped = (
        f"Куда дороже один клиент, который перестал читать: {listed([TITLES[n] for n in frozen])} "
        "останавливается для всех."
        if frozen
        else "Клиент, который перестал читать, в этом прогоне никого не остановил."
    )
    return (
        f"**Ещё один клиент стоит {number(entry['us_per_recipient'])} мкс** на каждую рассылку "
        f"шага 4 (95 % интервал {number(entry['us_per_recipient_low'])} … "
        f"{number(entry['us_per_recipient_high'])} мкс): до последнего из "
        f"{users - 1} получателей сообщение доходит за {microseconds(last)}. {stopped}"
    )


def files(hashes: dict[str, str]) -> str:
    """Return the files of a run with the beginnings of their SHA-256."""
    return table(["Файл", "SHA-256"], [[f"`{n}`", f"`{h[:16]}`"] for n, h in hashes.items()])
