"""A folder of submissions: a table, a page for the teacher, and a text for each student."""

import argparse
import csv
import html
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.check import find, guard, trial
from tools.check.asks import CHECKS, ORDER, first_to_mend
from tools.check.page import SIGNS, WORDS, Page, complain, kind_of, program
from tools.check.reading import harmless

WARNING = "Проверка запускает чужой код с Вашими правами."
PROTECTED = (
    "Защита: каждая работа запускается в копии, без выхода в сеть и без прав администратора; "
    "файловая система доступна ей только для чтения (кроме копии и временной папки); время, "
    "память, вывод и число процессов ограничены; другие работы ей не видны. Читать остальные Ваши "
    "файлы чужой код может."
)
UNPROTECTED = (
    "Пространства имён здесь недоступны: работы запускаются по одной, в копиях, но чужой код может "
    "выйти в сеть, занять порт, изменить Ваши файлы, другие работы и эту таблицу и оставить после "
    "себя процессы. Оценке такой проверки можно верить, только если Вы верите коду."
)
AT_A_CHECK = re.compile(r"^(?=[✓✗·!] (\w+) )", re.M)  # in a text for a student
MOST_NAME = 200  # bytes of a name: systems allow 255, with ".txt"
STYLE = (
    "body{font:15px/1.4 sans-serif;margin:1.5em;max-width:75em}table{border-collapse:collapse}"
    "td,th{border:1px solid #bbb;padding:.2em .5em;text-align:center}"
    "th.tall{vertical-align:bottom;height:15em}th.tall div{writing-mode:vertical-rl;"
    "transform:rotate(180deg)}th.more{color:#666;font-weight:normal}a{text-decoration:none}"
    ".pass{background:#dfd}.fail{background:#fdd}.more{background:#ffd}pre{white-space:pre-wrap}"
)


def run(folder: Path, options: argparse.Namespace) -> int:
    """Check every folder below `folder`; return the exit status."""
    table = Path(options.csv or "class.csv")
    texts = table.with_name(f"{table.stem}-texts")
    submissions = sorted(
        each for each in folder.iterdir() if each.is_dir() and each.name not in find.SKIPPED
        and not each.name.startswith(".") and each.resolve() != texts.resolve()
    )  # fmt: skip
    if not submissions:
        return complain(f"В {folder} нет папок с работами.")
    overview = table.with_suffix(".html")
    try:
        texts.mkdir(parents=True, exist_ok=True)
        table.touch()
        overview.touch()
    except OSError as error:
        return complain(f"{error.filename} не записать: {error.strerror}")
    page = Page()
    wrapper = guard.wrapper()
    page.line(WARNING)
    page.line(PROTECTED if wrapper else UNPROTECTED)
    page.line()
    lock, done, command = threading.Lock(), [], " ".join(program())

    def one(submission: Path) -> tuple[str, dict, str]:
        mine = Page(to_screen=False)
        report = trial.run(
            submission.resolve(), options, f"{command} ПАПКА", mine, wrapper, folder.resolve()
        )
        text = "\n".join(mine.text) + "\n"
        shown = harmless(submission.name)
        if len(shown.encode()) > MOST_NAME:
            shown = f"{shown[:40]} … {submissions.index(submission)}"
        (texts / f"{shown}.txt".replace("\\", "_")).write_text(text, "utf-8")
        with lock:
            done.append(submission)
            remark = report["reason"] or f"{report['score']} из {report['of']}"
            page.line(f"{len(done):>3}/{len(submissions)} {shown:<24} {remark}")
        return shown, report, text

    jobs = (options.jobs or len(os.sched_getaffinity(0))) if wrapper else 1
    with ThreadPoolExecutor(jobs) as pool:
        try:
            reports = list(pool.map(one, submissions))
        except KeyboardInterrupt:
            trial.end_running()
            raise
    write(table, reports)
    overview.write_text(html_of(folder, reports, bool(wrapper)), "utf-8")
    page.line()
    page.line(f"Работ: {len(reports)}. Обзор: {overview}. Таблица: {table}. "
              f"Тексты для студентов: {texts}.")  # fmt: skip
    more = ", ".join(name for name in ORDER if not CHECKS[name].graded)
    page.line(f"Дополнительные проверки в оценку не входят: {more}.")
    return 0


def write(table: Path, reports: list[tuple[str, dict, str]]) -> None:
    """Write the table as spreadsheets in Russian read it: a row for each submission."""
    with table.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file, delimiter=";")
        titles = [CHECKS[name].title for name in ORDER]
        own = ["работа", "оценка", "из", "исправить сначала", "примечание"]
        rows.writerow([*own, *titles, "время, с"])
        for name, report, _ in reports:
            verdicts = {each["id"]: WORDS[each["status"]] for each in report["checks"]}
            first = first_to_mend(report["checks"])
            row = [name, report["score"], report["of"], CHECKS[first].title if first else "",
                   report["reason"] or "", *(verdicts.get(name, "") for name in ORDER),
                   str(report["seconds"]).replace(".", ",")]  # fmt: skip
            rows.writerow([no_formula(cell) for cell in row])


def no_formula(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: names are the students' own."""
    return f"'{cell}" if re.match(r"[=+\-@\t\r]", str(cell)) else cell


def html_of(folder: Path, reports: list[tuple[str, dict, str]], protected: bool) -> str:
    """Return the page for the teacher: the class as a table, each cell with its story."""
    heads = "".join(
        f'<th class="tall {"" if each.graded else "more"}"><div>{each.title}</div></th>'
        for each in map(CHECKS.get, ORDER)
    )
    rows, texts = [], []
    for number, (name, report, text) in enumerate(reports):
        verdicts = {each["id"]: each for each in report["checks"]}
        cells = "".join(cell(number, verdicts.get(check)) for check in ORDER)
        score = "" if report["score"] is None else f"{report['score']} из {report['of']}"
        first = first_to_mend(report["checks"])
        remark = report["reason"] or (CHECKS[first].title if first else "")
        title = f'<a href="#w{number}">{html.escape(name)}</a>'
        rows.append(
            f"<tr><td>{title}</td><td>{score}</td>{cells}<td>{html.escape(remark)}</td></tr>"
        )
        heading = f'<h2 id="w{number}">{html.escape(name)}</h2>'
        mark = rf'<span id="w{number}-\1"></span>'  # before the line of each check
        texts.append(f"{heading}<pre>{re.sub(AT_A_CHECK, mark, html.escape(text))}</pre>")
    return "\n".join([
        '<!doctype html><html lang="ru"><meta charset="utf-8">',
        f"<title>{html.escape(folder.name)}</title><style>{STYLE}</style>",
        f"<h1>{html.escape(folder.resolve().name)}: работ {len(reports)}</h1>",
        f"<p>{PROTECTED if protected else UNPROTECTED}</p>",
        "<p>Каждый знак ведёт к тому, что произошло. Серые столбцы в оценку не входят.</p>",
        f"<table><tr><th>работа</th><th>оценка</th>{heads}<th>исправить сначала</th></tr>",
        *rows, "</table>", *texts, "</html>\n",
    ])  # fmt: skip


def cell(number: int, result: dict | None) -> str:
    """Return a cell of the page: a sign that leads to the story."""
    if result is None:
        return "<td></td>"
    kind = kind_of(result)
    place = f"w{number}" if result["waits_for"] else f"w{number}-{result['id']}"
    link = f'<a href="#{place}">{SIGNS[kind][0]}</a>'
    return f'<td class="{kind}" title="{html.escape(result["note"])}">{link}</td>'
