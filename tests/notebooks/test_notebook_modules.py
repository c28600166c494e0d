"""What the notebook is made of: parameters, analysis, words that follow the data, the samples."""

import copy
import itertools
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench import suite
from bench.servers import SERVERS
from lab import analysis, experiments, figures, parameters, russian, samples, words
from lab.experiments import ALONE, FREE, NAMES, PINNED, WITH, WITHOUT, Samples
from lab.parameters import ParameterError, Parameters, from_environment
from lab.places import COMMITTED, HERE, prepared
from lab.results import destination

posix = pytest.mark.skipif(os.name != "posix", reason="a server cannot be asked to end on Windows")
FULL = Parameters(
    seed=1,
    repeats=3,
    rounds=3,
    seconds=60.0,
    bootstrap=40,
    message_bytes=64,
    sizes=(2, 10, 100),
    messages=20,
    deliveries=2000,
    control_users=100,
    rates=(300, 3000),
    rate_users=100,
    rate_seconds=0.3,
    uncounted_seconds=0.1,
    drain_seconds=0.3,
    limit_ms=50.0,
    batch_rate=3000,
    saturation_seconds=0.3,
    stall_rate=500,
    stall_bytes=8192,
    stall_users=10,
    stall_at=1.0,
    stall_seconds=3.0,
    stall_drain=1.0,
    nagle_users=10,
    nagle_messages=20,
    cost_users=100,
    cost_messages=20,
    price_users=(10,),
)
QUICK = replace(FULL, repeats=1, rounds=1)
PRICE = {"step3": 6.0, "step4": 5.0, "asyncio": 8.0, "forwarder": 3.0}  # us per recipient


def made_up() -> Samples:
    """Return samples of servers that behave exactly as PRICE says."""
    chance = np.random.default_rng(7)
    data = Samples()
    for name in NAMES:
        for users in FULL.sizes:
            one = 30 + PRICE[name] * np.arange(1, users)
            runs = [np.rint(one * chance.normal(1, 0.01, (20, 1))).astype(int) for _ in range(3)]
            data.latency[name, users] = runs
        data.free[name] = [2 * rows for rows in runs]
        for rate in FULL.rates:
            slow = rate > 1000 and name != "step4"
            rows = np.array([[900, 90], [200_000 if slow else 2000, 10]])
            data.rate[name, rate] = [rows] * 3
            add_runs(data, "rate", name, rate=rate, sent_late_p99_ms=0.1, generator_cpu_percent=9)
        data.cost[name] = [np.tile([30_000, 400_000, 50_000, 20_000], (20, 1))] * 3
        add_runs(data, "cost", name, noting_ns=200, noting_inside_ns=50)
        add_runs(data, "batch", name, rate=3000, send_calls=10 if name == "step4" else 100)
    data.price[10] = [np.tile([30_000, 36_000, 5000, 20_000], (20, 1))] * 3
    add_runs(data, "price", "step4", users=10, noting_ns=200, noting_inside_ns=50)
    chats = (("step4", 2000, 6e6), ("single", 80_000, 2e5), ("batched", 2000, 9e6),
             ("asyncio", 400_000, 2e5))  # fmt: skip
    for name, late, speed in chats:
        data.compared[name] = [np.array([[900, 90], [late, 10]])] * 3
        add_runs(data, "compared", name)
        add_runs(data, "saturation", name, expected=None, received=None,
                 deliveries_per_s=speed, server_cpu_percent=90.0)  # fmt: skip
    due = np.arange(1500) * 2000
    for name, last in (("step3", 900), ("step4", 1500)):
        came = np.where(np.arange(1500) < last, due + 300, -1)
        data.stall[name] = [np.stack([due, came], axis=1)] * 3
        add_runs(
            data, "stall", name, expected=12_000, received=8 * last, end_ms=3500.0,
            cut_off_ms=2500.0 if name == "step4" else None, bytes_for_stalled=8_000_000,
            stalled_at_ms=1000.0,
        )  # fmt: skip
    fast = np.full((20, 9), 100)
    slow = fast.copy()
    for k in range(3, 20, 2):  # the one who spoke two messages before is late
        author, late = k % 10, (k - 2) % 10
        slow[k, late - (late > author)] = 43_000
    data.nagle = {WITH: [fast] * 3, WITHOUT: [slow] * 3, ALONE: [fast] * 3}
    return data


def add_runs(data: Samples, experiment: str, server: str, **found) -> None:
    blank = dict.fromkeys(samples.RUN_COLUMNS) | {"users": 100, "expected": 100, "received": 100}
    for repeat in (1, 2, 3):
        about = {"experiment": experiment, "server": server, "repeat": repeat}
        data.runs.append(blank | about | {"turn": len(data.runs) + 1} | found)


@pytest.fixture(scope="module")
def data() -> Samples:
    return made_up()


@pytest.fixture(scope="module")
def facts(data) -> dict:
    machine = {
        "pinned": True,
        "processor": "P",
        "cores": 2,
        "memory_gib": 8.0,
        "system": "L",
        "kernel": "6",
    }
    about = {"machine": machine, "versions": {"python": "3.11"}}
    return about | {"parameters": parameters.as_dict(FULL)} | analysis.summarize(data, FULL)


@pytest.fixture
def changed(facts) -> dict:
    """A copy of the facts that a test may change."""
    return copy.deepcopy(facts)


# Parameters


def test_the_environment_chooses_the_quick_run_and_changes_single_parameters():
    assert from_environment(FULL, QUICK, {}) == FULL
    assert from_environment(FULL, QUICK, {"LAB_QUICK": "1"}) == QUICK
    found = from_environment(FULL, QUICK, {"LAB_SIZES": "50,2,10", "LAB_LIMIT_MS": "2.5"})
    assert found == replace(FULL, sizes=(2, 10, 50), limit_ms=2.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAB_QUICK", "maybe"),
        ("LAB_SIZES", "2,x,5"),
        ("LAB_SIZES", "1,5,10"),
        ("LAB_SIZES", "2,5"),
        ("LAB_REPEATS", "0"),
        ("LAB_RATE_USERS", "1"),
        ("LAB_STALL_SECONDS", "1"),
        ("LAB_STALL_USERS", "2"),
        ("LAB_RATE_SECONDS", "nan"),
        ("LAB_STALL_BYTES", "65001"),
        ("LAB_SIZES", "2,5,8001"),
        ("LAB_NONSENSE", "1"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_its_name(name, value):
    with pytest.raises(ParameterError, match=name):
        from_environment(FULL, QUICK, {name: value})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("LAB_RATES", "abc", "'abc' is no whole number, nor several like 2,10,100"),
        ("LAB_REPEATS", "1.5", "'1.5' is no whole number"),
        ("LAB_LIMIT_MS", "x", "'x' is no number"),
    ],
)
def test_it_is_told_what_is_wrong_with_a_value(name, value, problem):
    with pytest.raises(ParameterError) as raised:
        from_environment(FULL, QUICK, {name: value})
    assert str(raised.value) == f"{name}: {problem}"


# Places


@pytest.mark.parametrize("folder", [HERE, COMMITTED, COMMITTED / "new", HERE / "lab" / ".."])
def test_only_a_full_run_writes_over_what_is_committed(folder):
    with pytest.raises(ParameterError, match="only a full run"):
        prepared(folder)
    assert not (COMMITTED / "new").exists()
    assert prepared(COMMITTED, full=True) == COMMITTED


def test_results_go_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_RESULTS", str(tmp_path / "a" / "b"))
    assert destination(QUICK, FULL) == (tmp_path / "a" / "b").resolve()
    monkeypatch.setenv("LAB_RESULTS", str(COMMITTED))
    with pytest.raises(ParameterError, match="only a full run"):
        destination(QUICK, FULL)
    monkeypatch.delenv("LAB_RESULTS")
    assert destination(FULL, FULL) == COMMITTED
    assert not destination(QUICK, FULL).is_relative_to(HERE)


def test_what_is_no_folder_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ParameterError, match="cannot write to"):
            prepared(folder)


# Numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.3561, "0,36"), (1.25, "1,2"), (12.4, "12"), (0.996, "1,0"), (9.99, "10"), (3000, "3000"),
     (24_744, "24\N{NARROW NO-BREAK SPACE}744"), (0, "0"), (-5.2, "\N{MINUS SIGN}5,2")],
)  # fmt: skip
def test_numbers_have_a_comma(value, text):
    assert russian.number(value) == text


def test_a_time_is_told_in_the_unit_that_suits_it():
    found = [russian.microseconds(value) for value in (36, 450.4, 1500, 2_000_000)]
    assert found == [text.replace(" ", russian.SPACE) for text in ("36 мкс", "450 мкс", "1,5 мс",
                                                                   "2,0 с")]  # fmt: skip


@pytest.mark.parametrize(
    ("count", "word"), [(1, "раз"), (2, "раза"), (5, "раз"), (11, "раз"), (12, "раз"), (22, "раза")]
)
def test_a_noun_agrees_with_its_number(count, word):
    assert russian.counted(count, "раз", "раза", "раз") == f"{count}{russian.SPACE}{word}"


def test_no_line_ends_between_a_number_and_its_unit():
    assert russian.bound("за 5 мс и 3 %") == f"за 5{russian.SPACE}мс и 3{russian.SPACE}%"


# Analysis


def test_the_line_is_the_one_that_the_data_was_made_of(facts):
    for name in NAMES:
        found = facts["fit"][name]
        assert found["us_per_recipient"] == pytest.approx(PRICE[name], rel=0.05)
        assert found["us_per_recipient_low"] <= PRICE[name] <= found["us_per_recipient_high"] * 1.05
        assert found["fixed_us"] == pytest.approx(30, rel=0.1)
        assert found["r2"] > 0.99


def test_noise_does_not_bend_the_line():
    chance = np.random.default_rng(3)
    recipients = np.repeat([1.0, 10.0, 100.0, 1000.0], 2000)
    times = (30 + 5 * recipients) * chance.normal(1, 0.1, len(recipients))
    slope, constant = analysis.line(recipients, times)
    assert slope == pytest.approx(5, rel=0.006)  # weights from the times: 2 % too low
    assert constant == pytest.approx(30, rel=0.006)


def test_the_table_and_the_figure_tell_the_same_residuals(data, facts):
    drawn = figures.straight_line(data, facts)
    dots = [dot for line in drawn.axes[1].lines for dot in line.get_ydata() if line.get_alpha()]
    told = max(facts["fit"][name]["worst_residual_percent"] for name in NAMES)
    assert told == pytest.approx(np.abs(dots).max(), abs=0.05)
    found = analysis.residuals(np.array([1.0, 2.0]), np.array([20.0, 15.0]), 10, 0)
    assert found == pytest.approx([100, -25])


def test_percentiles_stand_in_order_within_their_intervals(facts):
    for entry in facts["latency"]["step4"].values():
        assert entry["p50_us"] <= entry["p95_us"] <= entry["p99_us"]
        for measure in analysis.MEASURES:
            low, value, high = (entry[f"{measure}{end}_us"] for end in ("_low", "", "_high"))
            assert low <= value <= high


def test_the_interval_holds_the_spread_between_runs():
    alike = {("step4", 2): [np.full((50, 1), 100)] * 3}
    apart = {("step4", 2): [np.full((50, 1), value) for value in (80, 100, 120)]}
    low, high = (
        analysis.latencies(Samples(latency=latency), FULL)["step4"]["2"]
        for latency in (alike, apart)
    )
    assert low["last_low_us"] == low["last_high_us"] == 100
    assert (high["last_low_us"], high["last_high_us"]) == (80, 120)


@pytest.mark.parametrize(
    ("p99s", "held", "broken"),
    [
        ((1, 2, 90), 200, 300),
        ((1, 2, 3), 300, None),
        ((90, 1, 1), None, 100),
        ((1, 90, 1), 100, 200),
    ],
)
def test_the_knee_is_the_last_rate_before_the_first_that_is_too_slow(p99s, held, broken):
    rates = {str(100 * n): {"p99_ms": p99} for n, p99 in enumerate(p99s, 1)}
    assert analysis.knee(rates, 50) == {"rate_per_s": held, "broken_per_s": broken}


@pytest.mark.parametrize("cut_off_ms", [1050.0, 2500.0])
def test_no_mark_lies_over_another_however_soon_a_reader_is_cut_off(data, cut_off_ms):
    data = copy.deepcopy(data)
    run = next(run for run in data.runs if run.get("cut_off_ms"))
    run |= {"cut_off_ms": cut_off_ms, "end_ms": 4600.0}
    figure = figures.stalled_reader(data)
    figure.draw_without_rendering()
    one, other = (text.get_window_extent() for text in figure.axes[1].texts)
    assert not one.overlaps(other)
    assert one.x0 > figure.axes[1].get_window_extent().x0


@pytest.mark.parametrize("percent", [1, 50, 90, 99, 100])
def test_a_percentile_of_counted_values_is_that_of_all_of_them(percent):
    rows = np.array([[5, 30], [2, 69], [900, 1]])
    every = np.repeat(rows[:, 0], rows[:, 1])
    expected = np.percentile(every, percent, method="inverted_cdf")
    assert analysis.weighted_percentile(rows, percent) == expected


def test_three_digits_are_kept():
    values = np.array([0, 7, 999, 1004, 1005, 12_345, 999_900])
    assert experiments.three_digits(values).tolist() == [0, 7, 999, 1000, 1010, 12_300, 1_000_000]


def test_a_freeze_counts_up_to_the_end_of_the_run(facts):
    frozen, well = facts["stall"]["step3"], facts["stall"]["step4"]
    assert frozen["silent_at_end_s"] == frozen["longest_gap_s"] == pytest.approx(1.702, abs=0.001)
    assert (well["silent_at_end_s"], well["longest_gap_s"]) == (0, pytest.approx(0.002, abs=1e-3))
    assert (frozen["received"], frozen["expected"]) == (3 * 7200, 3 * 12_000)


def test_late_messages_are_counted_and_those_that_never_came_with_them(data, facts):
    assert facts["stall"]["step4"]["late_percent"] == 0
    assert facts["stall"]["step3"]["late_percent"] == 40
    timeline = data.stall["step4"][0].copy()
    timeline[:15, 1] += 250_000
    found = analysis.stall(replace(data, stall={"step4": [timeline] * 3}), "step4")
    assert found["worst_late_s"] == pytest.approx(0.25, abs=1e-3)
    assert found["late_percent"] == 1


def test_phases_add_up_to_the_time_of_the_broadcast():
    calls = np.array([[110, 120], [125, 140], [310, 330], [331, 360]])
    rows = experiments.phases(calls, np.array([100, 300]), np.array([150, 350]), 2)
    assert rows.tolist() == [[10, 25, 5, 10], [10, 39, 1, 0]]
    with pytest.raises(experiments.MeasurementError):
        experiments.phases(calls, np.array([100]), np.array([130]), 3)


def test_rooms_whose_fastest_runs_do_not_agree_are_measured_again_while_there_is_time(monkeypatch):
    laboratory = experiments.Laboratory(replace(FULL, seconds=9.5))
    laboratory.started, clock = 0, itertools.count()
    monkeypatch.setattr(experiments.time, "monotonic", lambda: next(clock))
    rooms = laboratory.samples.latency
    rooms["step4", 2] = [np.full((5, 1), 100), np.full((5, 1), 104)]  # they agree
    rooms["step4", 10] = [np.full((5, 9), 100), np.full((5, 9), 150)]
    rooms["step3", 10] = [np.full((5, 9), 100)]  # nothing to compare with
    times = {"step4": itertools.repeat(120), "step3": iter([110, 103])}

    def measure_room(name: str, users: int) -> None:
        rooms[name, users].append(np.full((5, users - 1), next(times[name])))

    monkeypatch.setattr(laboratory, "measure_room", measure_room)
    laboratory.confirm_latency()
    assert len(rooms["step4", 2]) == 2
    assert len(rooms["step3", 10]) == 3  # now they do
    assert len(rooms["step4", 10]) == 2 + 8  # until there was no time


# Samples


def test_samples_come_back_as_they_were_and_give_the_same_summary(data, facts, tmp_path):
    samples.save(data, tmp_path)
    first = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(first) == set(samples.FILES)
    back = samples.load(tmp_path)
    found = analysis.summarize(back, FULL)
    assert json.dumps(found) == json.dumps({key: facts[key] for key in found})
    samples.save(back, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == first


# Figures


DRAWN = ("answer", "clients", "line", "rate", "stall", "nagle", "cost")


def draw(name: str, data: Samples, facts: dict) -> Figure:
    return {
        "clients": lambda: figures.latency_by_clients(facts),
        "answer": lambda: figures.answer(facts),
        "line": lambda: figures.straight_line(data, facts),
        "rate": lambda: figures.latency_by_rate(facts),
        "stall": lambda: figures.stalled_reader(data),
        "nagle": lambda: figures.nagle(data),
        "cost": lambda: figures.cost_breakdown(facts),
    }[name]()


@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_the_same_bytes_every_time_and_have_no_decimal_point(
    name, data, facts, tmp_path
):
    written = []
    for _ in range(2):
        drawn = draw(name, data, facts)
        drawn.savefig(tmp_path / "x.svg", metadata={"Date": None})
        written.append((tmp_path / "x.svg").read_bytes())
        for axes in drawn.axes:
            labels = [*axes.get_xticklabels(), *axes.get_yticklabels()]
            assert not any("." in label.get_text() for label in labels)
    assert written[0] == written[1]


@pytest.fixture(scope="module")
def committed() -> tuple[Samples, dict]:
    return samples.load(COMMITTED), json.loads((COMMITTED / "summary.json").read_text("utf-8"))


@pytest.mark.parametrize("name", DRAWN)
def test_all_text_of_a_figure_is_inside_it_and_large_enough_on_paper(name, committed):
    figure = draw(name, *committed)
    assert figure.get_figwidth() * 25.4 <= 165  # mm: the report shows it as large as it is
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 8  # points
    figure.draw_without_rendering()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(drawn.min) >= 0
    assert (drawn.max <= (width, height)).all()


@pytest.mark.parametrize("name", DRAWN)
def test_labels_beside_each_other_do_not_touch(name, committed):
    figure = draw(name, *committed)
    figure.draw_without_rendering()
    for axes in figure.axes:
        left, right = axes.get_window_extent().intervalx
        boxes = [t.get_window_extent() for t in axes.get_xticklabels() if t.get_text()]
        boxes = sorted(
            (b for b in boxes if left <= b.x0 / 2 + b.x1 / 2 <= right), key=lambda b: b.x0
        )
        for one, other in itertools.pairwise(boxes):
            assert one.x1 < other.x0


def test_rooms_whose_labels_would_touch_have_none():
    assert figures.with_room([2, 10, 20, 50, 100, 200, 500, 1000]) == [1000, 200, 50, 20, 2]


# Words: each sentence both ways


def test_the_growth_is_counted(changed):
    assert "больше в 99\N{NO-BREAK SPACE}раз" in words.latency(changed)


def test_the_share_of_the_yardstick_is_told_where_it_dominates(changed):
    assert "Больше половины времени (шаг 3 и шаг 4)" in words.floor(changed)
    changed["latency"]["forwarder"]["100"]["last_us"] = 10
    assert "Ни у одного чата" in words.floor(changed)
    changed["latency"]["forwarder"]["100"]["last_us"] = 10_000
    assert "разница меньше разброса" in words.floor(changed)


def test_the_goal_of_the_line_is_met_or_not(changed):
    assert "Она выполнена у всех серверов" in words.fit(changed)
    assert "растёт по прямой" in words.answer(changed)
    changed["fit"]["asyncio"] |= {"r2": 0.9899}
    assert "asyncio (R² 0,989" in words.fit(changed)
    changed["fit"]["asyncio"] |= {"r2": 0.5}
    assert "Она не выполнена у этих серверов: asyncio (R² 0,500" in words.fit(changed)
    changed["fit"]["step4"] |= {"worst_residual_percent": 15.2, "worst_users": 10}
    told = words.fit(changed)
    assert f"остаток 15{russian.SPACE}% при 10{russian.SPACE}клиентах); asyncio" in told
    assert "не точно по прямой" in words.answer(changed)


def test_the_price_of_a_call_is_the_same_in_all_rooms_or_not(changed):
    one, other = changed["price"]["10"], changed["share"]["step4"]
    one["us_per_send"] = other["us_per_send"] = 4.0
    assert "почти не зависит от размера комнаты" in words.fit(changed)
    one["us_per_send"] = 6.0
    assert f"больше наименьшей в 1,5{russian.SPACE}раза" in words.fit(changed)


def test_the_line_is_held_against_the_largest_room(changed):
    assert "предсказание верно с точностью до" in words.fit(changed)
    changed["fit"]["step4"]["largest_us"] *= 0.5
    assert f"прямая ошибается на 50{russian.SPACE}%" in words.fit(changed)


def test_the_prediction_does_not_know_what_it_predicts(data):
    runs = [10 * rows for rows in data.latency["step4", 100]]
    far = replace(data, latency=data.latency | {("step4", 100): runs})
    one, other = (analysis.fit(found, "step4", FULL) for found in (data, far))
    assert one["predicted_us"] == other["predicted_us"]
    assert other["largest_us"] == pytest.approx(10 * one["largest_us"], rel=1e-3)


def test_the_line_goes_through_the_fastest_run_and_slow_ones_are_counted(data, changed):
    slow = [data.latency["step4", 10][0], *[2 * rows for rows in data.latency["step4", 10][1:]]]
    disturbed = replace(data, latency=data.latency | {("step4", 10): slow})
    found = analysis.fit(disturbed, "step4", FULL)
    assert found["r2"] > 0.99
    assert (found["slow_runs"], found["runs"]) == (2, 9)
    changed["fit"]["step4"] = found
    assert f"лежат 2 из 36{russian.SPACE}прогонов" in words.fit(changed)


def test_the_lines_of_the_chats_are_compared(changed):
    told = words.fit(changed).replace(russian.SPACE, " ")
    assert "Дешевле всего получатель обходится чату шаг 4, дороже всего — asyncio" in told
    for name in NAMES:
        changed["fit"][name] |= {"us_per_recipient": 5.0, "fixed_us": 20.0}
    changed["fit"]["asyncio"] |= {"us_per_recipient": 5.2, "fixed_us": 60.0}
    told = words.fit(changed).replace(russian.SPACE, " ")
    assert "почти одна: разница между наибольшей и наименьшей — 4,0 %" in told
    assert "если у шага 4 она 100 %: шаг 3 — 100 % и asyncio — 300 %." in told


def test_the_slope_is_compared_with_the_call(changed):
    assert "наклона; остальное" in words.fit(changed)
    changed["share"]["step4"]["us_per_send"] = 50.0
    assert "не меньше наклона" in words.fit(changed)


def test_it_is_told_whether_each_process_had_a_processor(changed):
    assert "закреплены за разными процессорными ядрами" in words.method(changed)
    changed["machine"]["pinned"] = False
    assert "здесь нельзя" in words.method(changed)
    assert "Сравнить не с чем" in words.control(changed)


def test_what_pinning_changes_is_told(changed):
    told = words.control(changed).replace(russian.SPACE, " ")
    assert "Без закрепления рассылка дольше, самое большее в 2,0 раза." in told
    assert "Размах повторов" in told
    for name, last in (("step3", 1e-3), ("step4", 1e6)):
        changed["control"][name][FREE]["last_us"] = last
    assert "у одних серверов рассылка дольше, у других короче" in words.control(changed)
    for ways in changed["control"].values():
        ways[FREE]["last_us"] = ways[PINNED]["last_us"]
    assert "время рассылки почти то же" in words.control(changed)
    for ways in changed["control"].values():
        ways[FREE]["last_us"] = ways[PINNED]["last_us"] / 3
    assert "рассылка короче, самое большее в 3,0" in words.control(changed)
    changed["parameters"]["repeats"] = 1
    assert "Размах" not in words.control(changed)
    for ways in changed["control"].values():
        del ways[PINNED]  # no room of this size in section 1
    assert "| шаг 4 | — |" in words.control_table(changed)
    assert "Сравнить не с чем" in words.control(changed)


def test_what_batches_do_and_what_threads_do_is_told_by_the_numbers(changed):
    told = words.compared(changed).replace(russian.SPACE, " ")
    assert "Шаг 4: с пачками p99 меньше в 40 раз, число доставок в секунду больше в 30 раз" in told
    assert "2,0 мс у шага 4 и 2,0 мс у asyncio: разница невелика, в 1,0 раза" in told
    assert "6,0 и 9,0 млн доставок в секунду: впереди asyncio. Asyncio обходится" in told
    assert "Сервер шага 4 при этом занимал 90 % процессорного ядра" in told
    assert "прежде всего пачки (не меньше чем в 30 раз)" in told
    found = changed["compared"]
    found["single"] |= {"p99_ms": 1.0, "deliveries_per_s": 6_000_000}
    found["step4"]["deliveries_per_s"] = 9_000_000
    told = words.compared(changed).replace(russian.SPACE, " ")
    assert "p99 больше в 2,0 раза, число доставок в секунду больше в 1,5 раза" in told
    found["single"] |= {"deliveries_per_s": 9_000_000}
    assert "число доставок в секунду почти то же" in words.compared(changed)
    assert "нельзя сказать, что пачки важнее" in words.compared(changed)
    assert "скорости не прибавила" in words.answer(changed)
    found["batched"] |= {"deliveries_per_s": 1_000_000, "p99_ms": 0.5}
    told = words.compared(changed).replace(russian.SPACE, " ")
    assert "2,0 мс у шага 4 и 0,50 мс у asyncio: впереди asyncio." in told
    assert "9,0 и 1,0 млн доставок в секунду: впереди шаг 4." in told
    assert "Asyncio обходится" not in told


def test_uvloop_stands_in_the_table_where_it_was_measured(changed):
    assert "uvloop" not in words.compared_table(changed)
    changed["compared"]["uvloop"] = changed["compared"]["asyncio"]
    assert "| то же на uvloop | нет | 400 |" in words.compared_table(changed)


def test_many_messages_in_a_call_are_no_cause_of_speed_by_themselves(changed):
    assert "склеились" not in words.compared(changed)
    changed["batch"]["step3"]["messages_per_send"] = 5.0
    told = words.compared(changed)
    assert "склеились" in told
    assert "сами по себе скорости не дают" not in told  # step 4's carry more
    changed["batch"]["step3"]["messages_per_send"] = 50.0
    told = words.compared(changed).replace(russian.SPACE, " ")
    assert "p99 у него больше в 100 раз: много сообщений в одном вызове сами по себе" in told
    changed["batch"]["step3"]["messages_per_send"] = 9.0
    assert "несёт почти столько же, сколько вызов шага 4" in words.compared(changed)


def test_the_knee_is_told(changed):
    told = words.rate(changed)
    assert "Шаг 3 держит 300 и не держит 3000" in told
    assert "шаг 4 выдержал все частоты" in told
    changed["knee"]["step4"] = {"rate_per_s": None, "broken_per_s": 300}
    assert "уже при 300" in words.rate(changed)


def test_a_generator_that_is_late_is_named(changed):
    assert "нигде не отставал" in words.generator(changed)
    assert f"до 9,0{russian.SPACE}% своего процессорного ядра." in words.generator(changed)
    changed["rate"]["asyncio"]["300"]["sent_late_p99_ms"] = 1.9
    assert "оно составило здесь: asyncio при 300 сообщ./с" in words.generator(changed)
    changed["rate"]["forwarder"]["3000"]["generator_cpu_percent"] = 93.0
    told = words.generator(changed).replace(russian.SPACE, " ")
    assert "до 93 % своего процессорного ядра: под большой нагрузкой колено" in told


def test_what_did_not_come_in_time_is_told_and_marked(changed):
    assert "Все доставки пришли вовремя" in words.rate(changed)
    assert "≥" not in words.rate_table(changed)
    changed["rate"]["asyncio"]["3000"] |= {"lost": 8, "lost_percent": 8.0}
    assert "asyncio при 3000 — 8,0" in words.rate(changed)
    assert f"≥{russian.SPACE}200 |" in words.rate_table(changed)
    changed["rate"]["asyncio"]["3000"]["lost_percent"] = 0.0
    assert "меньше 0,01" in words.rate(changed)


def test_a_rate_that_was_spared_is_a_dash(changed):
    del changed["rate"]["step3"]["3000"]
    assert "| шаг 3 | 2,0 | — |" in words.rate_table(changed)
    assert "Тире: шаг 3 не держит" in words.rate(changed)
    del changed["rate"]["asyncio"]["3000"]
    assert "Тире: шаг 3 и asyncio не держат" in words.rate(changed)
    lines = figures.latency_by_rate(changed).axes[0].containers
    assert [len(bars.lines[0].get_xdata()) for bars in lines] == [1, 2, 1, 2]


def test_a_freeze_is_told_only_if_there_was_one(changed):
    told = words.stall(changed)
    assert "**Шаг 3 остановился для всех.** За 3" in told
    assert "**Шаг 4 не остановился:**" in told
    assert "сервер отключил через 1,5 с" in told
    assert "По медиане пришедших этого не видно: шаг 3" in told
    changed["stall"]["step3"] |= {"silent_at_end_s": 0.0, "received": 36_000}
    assert "**Шаг 3 не остановился:**" in words.stall(changed)
    changed["stall"]["step3"] |= {"received": 35_999}
    assert "**Шаг 3 потерял сообщения:**" in words.stall(changed)
    assert f"(99,9{russian.SPACE}%)" in words.stall(changed)
    late = {"longest_gap_s": 1.25, "worst_late_s": 0.25, "late_percent": 6.25}
    changed["stall"]["step4"] |= late
    assert f"самый долгий перерыв — 1,2{russian.SPACE}с;" in words.stall(changed)
    assert f"самое позднее сообщение 250{russian.SPACE}мс;" in words.stall(changed)
    assert f"опоздали 6,2{russian.SPACE}%" in words.stall(changed)


def test_the_wait_of_nagle_is_told_only_if_it_is_there(changed):
    assert "рассылок ждут: обычно 43,0 мс" in words.nagle(changed)
    assert "она этого не показывает" in words.nagle(changed)
    changed["nagle"][WITHOUT]["delivery_p50_ms"] = 40.0
    assert "она этого не показывает" not in words.nagle(changed)
    changed["nagle"][WITHOUT] = changed["nagle"][WITH]
    assert "не видно" in words.nagle(changed)
    assert "Почему ждут не все" not in words.nagle(changed)


def test_who_is_waited_for_is_counted(data, facts):
    cause = facts["nagle"]["cause"]
    assert (cause["late_recipients"], cause["spoke_two_before_percent"]) == (1, 100)
    assert cause["alternate_percent"] == pytest.approx(100 * 17 / 19, abs=0.1)
    rows = data.nagle[WITHOUT][0].copy()
    rows[3] = 43_000  # broadcast 3: all are late
    found = analysis.nagle_cause([rows])
    assert found["spoke_two_before_percent"] == pytest.approx(100 * 9 / 17, abs=0.1)
    assert analysis.nagle_cause([rows * 0])["late_recipients"] == 0


def test_the_cause_of_the_wait_is_told_only_if_the_numbers_carry_it(changed):
    assert "ждёт каждая вторая" in words.nagle(changed)
    for path, value in (
        (("cause", "spoke_two_before_percent"), 70.0),
        (("cause", "alternate_percent"), 70.0),
        ((ALONE, "waited_percent"), 30.0),
    ):
        other = copy.deepcopy(changed)
        other["nagle"][path[0]][path[1]] = value
        assert "Простого правила за этими числами не видно" in words.nagle(other)
        assert "ждёт каждая вторая" not in words.nagle(other)


def test_the_largest_part_of_a_broadcast_is_named(changed):
    assert "Больше всего времени" in words.cost(changed)
    assert "В разделе 1 такая же рассылка длилась" in words.cost(changed)
    del changed["latency"]["step4"]["100"]
    assert "В разделе 1" not in words.cost(changed)
    changed["share"]["step4"] |= {"after_us": 5000.0}
    assert "не самая большая часть" in words.cost(changed)


def test_a_disturbed_machine_is_told(changed):
    changed["counts"] |= {"measurable_runs": 78, "disturbed_runs": 4, "repeated": 2}
    told = words.counts(changed).replace(russian.SPACE, " ")
    assert "В 4 из 78 прогонов, где это измеримо" in told
    assert "Ещё 2 прогона повторены" in told
    assert "верить нельзя" not in told
    changed["counts"]["disturbed_runs"] = 40
    assert "верить нельзя" in words.counts(changed)


def test_a_run_that_others_disturbed_is_made_again_but_not_for_ever(monkeypatch):
    busy = iter([90, 90, 3, *[90] * 1000])
    monkeypatch.setattr(suite, "put_load_on", lambda *_: {"others_cpu_percent": next(busy)})
    laboratory = experiments.Laboratory(FULL)
    assert laboratory.undisturbed() == {"others_cpu_percent": 3, "repeated": 2}
    assert laboratory.undisturbed()["repeated"] == experiments.SPARE - 2
    assert laboratory.undisturbed()["repeated"] == 0


def test_the_answer_names_the_price_and_who_stops(changed):
    told = words.answer(changed)
    assert "Ещё один клиент стоит 5,0 мкс" in told
    assert "шаг 3 останавливается" in told
    changed["stall"]["step4"]["silent_at_end_s"] = 1.0
    assert "шаг 3 и шаг 4 останавливаются" in words.answer(changed)
    for entry in changed["stall"].values():
        entry["silent_at_end_s"] = 0.0
    assert "никого не остановил" in words.answer(changed)


def test_a_changed_parameter_is_told():
    assert words.parameters(FULL, FULL) == "Параметры — полного запуска."
    assert "`repeats=1`" in words.parameters(QUICK, FULL)
    assert "Судить по нему о серверах нельзя" in words.parameters(QUICK, FULL)
    more = words.parameters(replace(FULL, repeats=5), FULL)
    assert "Параметры изменены" in more
    assert "Судить" not in more


# What the benchmark does for the notebook


@posix
def test_without_nodelay_broadcasts_wait_for_acknowledgements():
    task = {"mode": "single", "users": 5, "senders": 5, "messages": 20}
    usual = suite.put_load_on(SERVERS["step4"], task)
    waiting = suite.put_load_on(SERVERS["step4"].launched("without-nodelay"), task)
    assert waiting["received"] == usual["received"] == 80
    assert waiting["last_p99_ms"] > 5


@pytest.mark.parametrize("users", [2, 3])
def test_a_stall_needs_a_third_user(users):
    task = {"mode": "stall", "users": users, "senders": users, "rate": 50, "seconds": 0.4}
    found = suite.put_load_on(SERVERS["step4"], task | {"stall_at": 0.2, "drain": 0.5})
    if users == 2:
        assert "bad settings" in found["error"]
    else:
        assert found["received"] == found["expected"] == 20
        assert 200 <= found["stalled_at_ms"] < 400


@posix
def test_every_send_of_a_server_is_recorded(tmp_path):
    file = tmp_path / "calls.json"
    task = {"mode": "single", "users": 4, "senders": 4, "messages": 5, "stamps": True}
    found = suite.put_load_on(SERVERS["forwarder"].launched("record-sends", file), task)
    notes = json.loads(file.read_text("utf-8"))
    [first, *_] = found["starts_ns"]
    assert sum(start > first for start, _ in notes["calls"]) == 15
    assert all(start <= end for start, end in notes["calls"])
    assert 0 < notes["inside_ns"] <= notes["cost_ns"] < 100_000
