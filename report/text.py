"""The text of the report: numbers its captions, fills in its markers, tells what is wrong with it.

Рисунок @name — ...         a caption; `рисунок @name` in the text leads to it
## Heading {#name}          `раздел @name` leads to it
@name Author, title         an entry of the list of sources; `[@name]` leads to it
{{fit.step4.r2 .3}}         a value: facts.py tells what expressions are
{{if A < B: words | others}}   words that the numbers choose
{{listing FILE NAME ...}}   on a line of its own: blocks.py has the kinds of blocks
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib import ft2font

import blocks
import facts
from document import width
from facts import REPORT, Problem
from pdf import FONTS

CODE = re.compile(r"^```.*?^```[ ]*$|`[^`\n]+`", re.M | re.S)
COMMENT = re.compile(r"<!--.*?-->", re.S)
PART = re.compile(r"[^\n]+(?:\n[^\n]+)*")  # what stands between empty lines
MARKER = re.compile(r"\{\{((?:[^{}]|\{\{[^{}]*\}\})*)\}\}")
BAR = re.compile(r" \|(?: |$)(?![^{]*\}\})")  # between the words of a choice, not of one within
PLACEHOLDER = re.compile(r"\[впишите[^]]*\]", re.I)
CAPTION = re.compile(r"(Рисунок|Таблица|Листинг) @([\w-]+) — .+")
HEADING = re.compile(r"(##+) (.+?)(?: \{#([\w-]+)\})?")
ENTRY = re.compile(r"^@([\w-]+) (.+)$", re.M)
NAME = re.compile(r"(?<![\w@/.])@([\w-]+)")
LIST_BEFORE = re.compile(r"(?:@[\w-]+(?:, | и |–))*$")  # «листинги @a и @b»
HTML = re.compile(r"</?[a-z][^>:]*>", re.I)
PICTURE = re.compile(r"!\[[^]]*\]\((.*)\)")
TABLE_ROW = re.compile(r"^\|.*", re.M)

KINDS = {"Рисунок": "figure", "Таблица": "table", "Листинг": "listing"}
STEMS = {"рис": "figure", "таб": "table", "лис": "listing", "раз": "section", "при": "section"}
SAID = {"figure": "рисунок", "table": "таблица", "listing": "листинг", "section": "раздел"}
BODIES = {"table": "table", "listing": "listing", "file": "listing"}
SOURCES, APPENDIX = "Список использованных источников", "Приложение "
STRUCTURAL = ("Введение", "Заключение", SOURCES, APPENDIX)  # headings without a number
LARGEST = 5_000_000  # bytes of a picture
FREE = [
    (re.compile(r" — "), "\u00a0— "),  # no line begins with a dash,
    (re.compile(r"Ctrl-"), "Ctrl\u2011"),  # the letter of a key,
    (re.compile(r"(?<!ние )\b([А-ЯA-Z]\.) (?=[А-ЯA-Z])"), "\\1\u00a0"),  # a name or a unit
    (re.compile(r"(\d) (?=\d{3}\b)"), "\\1\u00a0"),  # the parts of a number,
    (re.compile(r"(\d) (?=(?:мс|мкс|с|%|байт\w*|сообщени\w+|клиент\w*)(?!\w))"), "\\1\u00a0"),
]


@dataclass
class Part:
    """A paragraph, a heading, a caption, a picture, a table or a listing, as it was written."""

    kind: str
    raw: str
    start: int
    section: str = ""  # the name of the section, or its heading


@dataclass
class Report:
    """The text as Markdown for pandoc, its parts as they were written, and what is wrong."""

    text: str
    data: dict
    parts: list[Part] = field(default_factory=list)
    names: dict[str, tuple[str, str, int]] = field(default_factory=dict)  # kind, number, place
    named: dict[str, list[int]] = field(default_factory=dict)  # where a name is referred to
    problems: list[str] = field(default_factory=list)
    markdown: str = ""

    def __post_init__(self) -> None:
        if place := unclosed(self.text):
            self.problems = [
                f"report.md:{place}: программа не закрыта: поставьте за ней строку ```"
            ]
            return
        self.clean = outside_code(self.text, COMMENT, lambda c: re.sub(r"[^\n]", " ", c[0]))
        self.prose = blank(self.clean)
        self.split()
        self.number()
        self.refer()
        self.markdown = "\n\n".join(self.written())

    def tell(self, position: int, problem: object) -> None:
        """Note a problem with the line of a position."""
        self.problems.append(f"report.md:{self.line(position)}: {problem}")

    def line(self, position: int) -> int:
        """Return the number of the line of a position."""
        return self.text.count("\n", 0, position) + 1

    def split(self) -> None:
        """Find the parts, and in which section each stands."""
        section = ""
        for found in PART.finditer(self.prose):
            if not found[0].strip():  # a comment
                continue
            raw = self.clean[slice(*found.span())]
            part = Part(kind_of(found[0]), raw, found.start())
            if part.kind == "heading":
                _, title, name = HEADING.fullmatch(raw).groups()
                section = name or title
            part.section = section
            self.parts.append(part)
            if html := HTML.search(found[0]):
                self.tell(
                    part.start + html.start(), f"{html[0]}: HTML в отчёт не попадает: уберите"
                )
            if bad := unprintable(raw):
                place = part.start + raw.index(bad)
                self.tell(place, f"знак {bad} (U+{ord(bad):04X}) не напечатается: уберите его")

    def number(self) -> None:
        """Give each caption, heading and source its number, in the order of the text."""
        counts, letter, order = dict.fromkeys(KINDS.values(), 0), "", []
        self.headings: dict[int, str] = {}
        section = subsection = 0
        for part in self.parts:
            if part.kind == "caption":
                word, name = CAPTION.match(part.raw).groups()
                counts[KINDS[word]] += 1
                self.enter(name, KINDS[word], f"{letter}{counts[KINDS[word]]}", part.start)
            elif part.kind == "heading":
                marks, title, name = HEADING.fullmatch(part.raw).groups()
                number = ""
                if title.startswith(APPENDIX):
                    number = title.removeprefix(APPENDIX).partition(".")[0]
                    letter, counts = f"{number}.", dict.fromkeys(counts, 0)
                elif marks == "##" and not title.startswith(STRUCTURAL):
                    section, subsection = section + 1, 0
                    number = str(section)
                elif marks == "###":
                    subsection += 1
                    number = f"{section}.{subsection}"
                self.headings[part.start] = number
                if name:
                    self.enter(name, "section", number, part.start)
            elif part.section == SOURCES:
                order += [(e[1], part.start + e.start(), e[2]) for e in ENTRY.finditer(part.raw)]
        first = {name: self.prose.find(f"@{name}") for name, *_ in order}
        order.sort(key=lambda entry: first[entry[0]])  # as they are cited
        for number, (name, position, _) in enumerate(order, 1):
            self.enter(name, "source", str(number), position)
        self.sources = [
            re.sub(r"^\S+", rf"{number}. [\g<0>]{{#{name}}}", entry)  # the first word can be led to
            for number, (name, _, entry) in enumerate(order, 1)
        ]

    def enter(self, name: str, kind: str, number: str, position: int) -> None:
        """Note what a name stands for."""
        if name in self.names:
            first = self.line(self.names[name][2])
            self.tell(position, f"имя @{name} уже занято в строке {first}: возьмите другое")
        else:
            self.names[name] = kind, number, position

    def refer(self) -> None:
        """Find all references; tell of those to nothing, and of what nobody refers to."""
        own = {position for kind, _, position in self.names.values() if kind == "source"}
        for found in NAME.finditer(self.prose):
            before = self.prose[: found.start()].rpartition("\n")[2]
            if found.start() in own or CAPTION.fullmatch(f"{before}{found[0]} — x"):
                continue
            self.named.setdefault(found[1], []).append(found.start())
            kind = self.names.get(found[1], [""])[0]
            word = "".join(re.findall(r"(\w+)\s$", LIST_BEFORE.sub("", before))).lower()
            if kind == "source" and before.rfind("[") <= before.rfind("]"):
                self.tell(found.start(), f"{found[0]} — это источник: пишите [{found[0]}]")
            elif kind in SAID and STEMS.get(word[:3]) != kind:
                what = f"{found[0]} — это {SAID[kind]}"
                self.tell(found.start(), f"{what}: напишите «{SAID[kind]} {found[0]}»")
        for name in self.named.keys() - self.names.keys():
            lines = ", ".join(str(self.line(position)) for position in self.named[name])
            what = f"на @{name} ссылаются (строки {lines}), а такой подписи, раздела, источника нет"
            self.tell(self.named[name][0], f"{what}: верните их или уберите ссылки")
        for name, (kind, _, position) in self.names.items():
            if kind == "source" and name not in self.named:
                self.tell(position, f"на источник @{name} нет ссылки: напишите в тексте [@{name}]")
            elif kind in KINDS.values() and min(self.named.get(name, [position])) >= position:
                call = f"«({SAID[kind]} @{name})»"
                self.tell(position, f"назовите это в тексте до подписи, например {call}")

    def written(self) -> Iterator[str]:
        """Yield the parts as pandoc is to read them: a caption and its body become a `Div`."""
        parts = iter(zip(self.parts, [*self.parts[1:], Part("", "", 0)], strict=True))
        for part, after in parts:
            match part.kind:
                case "heading":
                    yield self.heading(part)
                case "figure":
                    caption = CAPTION.match(after.raw) if after.kind == "caption" else None
                    if caption and caption[1] == "Рисунок":
                        next(parts)
                        yield self.div(after, self.picture(part))
                    else:
                        sign = "поставьте под ней пустую строку и «Рисунок @имя — …»"
                        self.tell(part.start, f"картинка без подписи: {sign}")
                case "caption":
                    kind, bodies = KINDS[CAPTION.match(part.raw)[1]], []
                    while after.kind == kind != "figure" and (kind == "listing" or not bodies):
                        bodies.append(self.body(after))
                        after = next(parts)[1]
                    if bodies:
                        yield self.div(part, *bodies)
                    else:
                        where = "над ней" if kind == "figure" else "под ней"
                        self.tell(part.start, f"подпись без того, что она называет: оно {where}")
                case "table" | "listing" if not part.raw.startswith("```sh"):
                    word = next(word for word, kind in KINDS.items() if kind == part.kind)
                    self.tell(part.start, f"нет подписи: поставьте над этим «{word} @имя — …»")
                case "text" if part.section == SOURCES:
                    if self.sources:
                        yield self.line_of("\n".join(self.sources), part.start)
                    self.sources = []
                case "marker":
                    yield self.line_of(self.fill(part), part.start)
                case _:
                    yield self.line_of(part.raw, part.start)

    def heading(self, part: Part) -> str:
        """Return a heading with its number, and with a class if it has none."""
        marks, title, name = HEADING.fullmatch(part.raw).groups()
        looks = "".join(f" #{name}" if name else "")
        if title.startswith(STRUCTURAL):
            return f"{marks} {title} {{.unnumbered{looks}}}"
        return f"{marks} {self.headings[part.start]} {title} {{.numbered{looks}}}"

    def div(self, caption: Part, *bodies: str) -> str:
        """Return a caption and its bodies as one block."""
        name = CAPTION.match(caption.raw)[2]
        kind, number, _ = self.names[name]
        words = self.line_of(caption.raw.replace(f"@{name}", number, 1), caption.start)
        inner = "\n\n".join([words.replace(" ", "\u00a0", 1), *bodies])
        return f':::: {{#{name} .{kind} number="{number}"}}\n{inner}\n::::'

    def body(self, part: Part) -> str:
        """Return a table or a listing; a surplus cell would vanish without a word."""
        if part.raw.startswith("{{"):
            return self.fill(part)
        if part.kind == "table":
            rows = [row[0].strip().strip("|").count("|") for row in TABLE_ROW.finditer(part.raw)]
            for number, row in enumerate(rows):
                if row != rows[0]:
                    here = part.start + sum(map(len, part.raw.splitlines(True)[:number]))
                    cells = f"ячеек {row + 1}, а в заголовке таблицы {rows[0] + 1}"
                    self.tell(here, f"{cells}: сделайте поровну")
            return self.line_of(part.raw, part.start)
        return part.raw

    def picture(self, part: Part) -> str:
        """Return a picture that can be shown; tell why it cannot."""
        target = PICTURE.fullmatch(part.raw)
        if not target:
            self.tell(part.start, "отделите картинку пустыми строками сверху и снизу")
            return ""
        path = REPORT / target[1]
        try:
            if "://" in target[1]:
                raise Problem("скачайте картинку в report/pictures и назовите её файл")
            if re.search(r"\s", target[1]):
                raise Problem("в имени картинки пробел: переименуйте файл без пробелов")
            if not path.is_file():
                raise Problem("нет файла: исправьте имя в скобках")
            if path.stat().st_size > LARGEST:
                size = f"{path.stat().st_size / 1e6:.0f} МБ"
                raise Problem(f"{size} — больше 5 МБ: уменьшите снимок или обрежьте лишнее")
            width(target[1])
        except Problem as problem:
            self.tell(part.start, f"{target[1]}: {problem}")
        return part.raw

    def fill(self, part: Part) -> str:
        """Return the block that a marker on a line of its own stands for."""
        try:
            filled = blocks.block(MARKER.fullmatch(part.raw.strip())[1], self.data)
            if bad := unprintable(filled):
                raise Problem(f"знак {bad} (U+{ord(bad):04X}) из этого файла не напечатается")
            return filled
        except Problem as problem:
            self.tell(part.start, problem)
            return ""

    def line_of(self, raw: str, start: int) -> str:
        """Return words with values and numbers in the place of markers and names."""
        try:
            raw = outside_code(raw, MARKER, self.value)
        except Problem as problem:
            self.tell(start, problem)
        raw = outside_code(raw, re.compile(rf"(\s?){NAME.pattern}"), self.link)
        for pattern, new in FREE:
            raw = outside_code(raw, pattern, lambda found, new=new: found.expand(new))
        return raw

    def value(self, found: re.Match) -> str:
        """Return what a marker within a line stands for."""
        what = found[1].strip()
        if not what.startswith("if "):
            return facts.show(what, self.data)
        condition, colon, words = what.removeprefix("if ").partition(": ")
        choice = BAR.split(words)
        if not colon or len(choice) != 2:
            raise Problem(f"{{{{{what}}}}}: нужно {{{{if условие: слова | другие слова}}}}")
        yes, no = choice
        chosen = yes if facts.evaluate(condition, self.data, unmeasured=0) else no
        return outside_code(chosen, MARKER, self.value)

    def link(self, found: re.Match) -> str:
        """Return a reference as a link: a number that leads to what it stands for."""
        kind, number, _ = self.names.get(found[2], ("", "?", 0))
        space = "\u00a0" if found[1] and kind != "source" else found[1]
        return f"{space}[{number}](#{found[2]})"


def blank(text: str) -> str:
    """Return a text as long, with its code made unreadable, so that a block of it is one line."""
    return CODE.sub(lambda code: "`" * len(code[0]), text)


def outside_code(text: str, pattern: re.Pattern, new: Callable[[re.Match], str]) -> str:
    """Replace what a pattern finds in a text, but not within its code."""
    # A choice may hold code: the pattern is looked for in a copy without it.
    pieces, end = [], 0
    for found in pattern.finditer(blank(text)):
        pieces.append(text[end : found.start()])
        pieces.append(new(pattern.match(text, found.start()) or found))
        end = found.end()
    return "".join([*pieces, text[end:]])


def kind_of(prose: str) -> str:
    """Return what a part is, by how it begins."""
    if HEADING.fullmatch(prose):
        return "heading"
    if CAPTION.match(prose):
        return "caption"
    if prose.startswith("{{") and MARKER.fullmatch(prose.strip()):
        word = re.match(r"\{\{(\w*)", prose)[1]
        return BODIES.get(word, "marker" if word in blocks.KINDS else "text")
    starts = {"![": "figure", "|": "table", "```": "listing"}
    return next((kind for start, kind in starts.items() if prose.startswith(start)), "text")


def unclosed(text: str) -> int:
    """Return the line on which a block of code begins that nothing ends; 0 if there is none."""
    opened = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            continue
        if opened and line.strip("` "):  # another one begins within
            return opened
        opened = 0 if opened else number
    return opened


def unprintable(text: str) -> str:
    """Return the first character that no font of the PDF has; "" if all can be printed."""
    known = {ord("\n"), *printable()}
    return next((letter for letter in text if ord(letter) not in known), "")


def printable() -> set[int]:
    """Return the characters that the fonts have."""
    if not CHARACTERS:
        for name in ("STIXGeneral", "DejaVuSans"):
            CHARACTERS.update(ft2font.FT2Font(str(Path(FONTS, f"{name}.ttf"))).get_charmap())
    return CHARACTERS


CHARACTERS: set[int] = set()
