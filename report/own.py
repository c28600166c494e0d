"""Each student's own part: what of it is missing before the report is handed in."""

import re
from collections.abc import Iterator

import facts
import runs
from blocks import drawn
from facts import ROOT, STUDENT
from text import CODE, MARKER, NAME, PLACEHOLDER, Report

NEW_LINES, WORDS = 5, 300  # of code that no step has; of one's own text
SENTENCE = re.compile(r"[.!?…](?=\s|$)")
WORD = re.compile(r"[^\W\d_]{2,}")
SECTIONS = {"program": 6, "answer": 3}  # and how many sentences each has at least


def missing(report: Report) -> Iterator[str]:
    """Tell all that has to be done before the report is handed in."""
    yield from placeholders(report)
    yield from pair()
    for name, least in {**SECTIONS, "conclusions": 0}.items():
        if name not in report.names:
            yield f"report.md: нет раздела {{#{name}}}: верните его заголовок"
        elif (found := sentences(" ".join(texts(report, name)))) < least:
            line = report.line(report.names[name][2])
            yield f"report.md:{line}: предложений {found}, а нужно не меньше {least}: допишите"
    yield from listing(report)
    if not any(is_screen(part) for part in report.parts if part.section == "program"):
        yield "report.md: нет снимка экрана (PNG) или текста сеанса (```text) в разделе {#program}"
    proof, times = drawn(report.data["student"]["variant"])[2:]
    sessions = [p.raw for p in report.parts if p.section == "answer" and is_screen(p)]
    if "\n".join(sessions).count(proof) < times:
        how_often = f" {times} раз(а)" if times > 1 else ""
        yield (
            f"report.md: в разделе {{#answer}} нет сеанса Вашего варианта (```text): в нём должно "
            f"быть «{proof}»{how_often}"
        )
    if not any(re.search(r"\*\*Ответ\.\*\*.*\d", text, re.S) for text in texts(report, "answer")):
        yield "report.md: нет ответа в разделе {#answer}: абзац «**Ответ.** …» с числами из сеанса"
    whole = [text for text in texts(report, "conclusions") if sentences(text) > 1]
    if len(whole) < 3:
        yield (
            f"report.md: собственных выводов из двух предложений и больше — {len(whole)}, "
            "а нужно 3, каждый отдельным абзацем в разделе {#conclusions}"
        )
    if (count := own_words(report)) < WORDS:
        yield f"report.md: своих слов {count}, а нужно не меньше {WORDS}: расскажите подробнее"


def placeholders(report: Report) -> Iterator[str]:
    """Tell of fields and places that are left for the author."""
    for name, value in report.data["student"].items():
        if value.startswith("["):
            yield f"{STUDENT}: впишите своё в поле {name!r}"
    for found in PLACEHOLDER.finditer(report.prose):
        yield f"report.md:{report.line(found.start())}: впишите своё вместо «{found[0]}»"


def pair() -> Iterator[str]:
    """Tell what is wrong with the pair of the student's programs."""
    own = facts.runs().get("own")
    if not own:
        yield "нет строки о Ваших программах: положите их в папку my и выполните build.py runs my"
        return
    again = f"python report/build.py runs {own['folder']}"
    if own["sources"] != runs.digest(ROOT / own["folder"]):
        yield f"{own['folder']}: программы изменились после проверки. Повторите: {again}"
    if own["passed"] < own["of"]:
        result = f"пройдено {own['passed']} из {own['of']} основных проверок"
        first = f"первая непройденная — «{own['failed']}»"
        yield f"{own['folder']}: {result}; {first}. Исправьте программу и повторите: {again}"


def listing(report: Report) -> Iterator[str]:
    """Tell if no listing shows lines that the student has written."""
    steps = set()
    for path in ROOT.glob("steps/step*_*/*.py"):
        steps |= {line.strip() for line in path.read_text("utf-8").splitlines()}
    most = 0
    for part in report.parts:
        marker = MARKER.fullmatch(part.raw.strip())
        if part.kind == "listing" and marker and "steps/" not in marker[1]:
            body = CODE.search(report.fill(part))
            lines = {line.strip() for line in body[0].splitlines()[1:-1]} if body else set()
            most = max(most, len(lines - steps))
    if most < NEW_LINES:
        how = "{{listing my/server.py ИМЯ}}"
        yield (
            f"report.md: нужен листинг из своих файлов, {how}, в котором не меньше {NEW_LINES} "
            f"строк, которых нет в шагах (сейчас {most})"
        )


def is_screen(part: object) -> bool:
    """Return whether a part is a screenshot or what programs have printed."""
    picture = part.kind == "figure" and re.search(r"\.(png|jpe?g)\)$", part.raw, re.I)
    return bool(picture) or part.raw.startswith("```text")


def texts(report: Report, section: str) -> list[str]:
    """Return the paragraphs of a section that are the student's own words."""
    parts = [part for part in report.parts if part.section == section and part.kind == "text"]
    return [PLACEHOLDER.sub("", part.raw) for part in parts]


def sentences(text: str) -> int:
    """Return how many sentences a text has."""
    return len(SENTENCE.findall(re.sub(r"`[^`]*`", "", text)))


def own_words(report: Report) -> int:
    """Return how many words the student has written; a sentence that is repeated counts once."""
    own = " ".join(text for name in (*SECTIONS, "conclusions") for text in texts(report, name))
    different = set(re.split(r"(?<=[.!?…])\s+", own))
    return len(WORD.findall(NAME.sub("", " ".join(different))))


def said(report: Report) -> str:
    """Return what to tell when nothing is missing."""
    share = 100 * own_words(report) / len(WORD.findall(CODE.sub("", report.markdown)))
    return f"можно сдавать: своих слов {own_words(report)}, {share:.0f} % текста"
