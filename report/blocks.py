"""The blocks that stand for markers of report.md: listings, tables, questions.

A listing is cut out of the code by the names of its definitions, so that it cannot drift from it.
"""

import ast
import inspect
import itertools
import sys
import tomllib

from facts import ROOT, Problem, read, show

STEPS = (1, 2, 3, 4)
HAS_BODY = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def block(what: str, data: dict) -> str:
    """Return the Markdown that a marker asks for, such as `listing FILE NAME...`."""
    kind, *words = what.split()
    try:
        inspect.signature(KINDS[kind]).bind(data, *words)
    except TypeError:
        raise Problem(f"метка {kind}: не те слова после вида: {' '.join(words)}") from None
    return KINDS[kind](data, *words)


def fenced(text: str, language: str = "python") -> str:
    """Return a text as a block of code in Markdown."""
    return f"```{language}\n{text.rstrip()}\n```"


def file(data: dict, path: str) -> str:
    """Return a whole file as a block."""
    return fenced(read(path))


def listing(data: dict, path: str, name: str, *others: str) -> str:
    """Return a block with definitions without docstrings; methods under the line of their class."""
    text = read(path)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise Problem(f"{path}:{error.lineno}: это не Python: {error.msg}") from None
    lines, shown = ["", *text.splitlines(), ""], []
    hidden = docstrings(tree, lines)
    owners = ["", *(each.rpartition(".")[0] for each in (name, *others))]
    for each, (before, owner) in zip((name, *others), itertools.pairwise(owners), strict=True):
        if shown:
            shown.append("")
        if owner and owner != before:
            shown.append(lines[find(tree, owner, path).lineno])
            shown += ["    ..."] * each.endswith(".with")  # what comes before it in a function
        node = find(tree, each, path)
        first = min([node.lineno, *(line.lineno for line in getattr(node, "decorator_list", []))])
        while lines[first - 1].lstrip().startswith("#"):  # the comment above
            first -= 1
        shown += [lines[n] for n in range(first, node.end_lineno + 1) if n not in hidden]
    return fenced("\n".join(shown))


def find(tree: ast.Module, name: str, path: str) -> ast.stmt:
    """Return what a dotted name stands for; `main.with` is the first `with` in `main`."""
    place = tree
    for part in name.split("."):
        for node in getattr(place, "body", []):
            targets = getattr(node, "targets", None) or [getattr(node, "target", node)]
            names = [getattr(target, "id", getattr(target, "name", "")) for target in targets]
            if part in names or (part == "with" and isinstance(node, ast.With)):
                place = node
                break
        else:
            raise Problem(f"в файле {path} нет {name}: исправьте имя в метке")
    return place


def docstrings(tree: ast.Module, lines: list[str]) -> set[int]:
    """Return the numbers of the lines of docstrings; a lone docstring stays."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, HAS_BODY) and ast.get_docstring(node) and len(node.body) > 1:
            first, last = node.body[0].lineno, node.body[0].end_lineno
            found.update(range(first, last + 1 + (not lines[last + 1].strip())))
    return found


def table(data: dict, name: str) -> str:
    """Return a table as Markdown."""
    if name not in TABLES:
        raise Problem(f"неизвестная таблица {name!r}; есть: {', '.join(TABLES)}")
    try:
        rows = TABLES[name](data)
    except KeyError as error:
        raise Problem(f"для таблицы {name} нет данных {error}") from None
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def drawn(variant: str) -> tuple[str, str, str, int]:
    """Return the question of a variant, its commands, and what a session has to show how often."""
    questions = tomllib.loads(read("report/variants.toml"))["question"]
    turn, place = divmod(int(variant) - 1, len(questions))
    asked = questions[place]
    n = asked["first"] + asked["distance"] * turn
    numbers = {"n": n, "bytes": 2 * n + 4}  # a letter of Russian has two, the length four
    text, commands, proof = (
        asked[name].format(**numbers) for name in ("text", "commands", "proof")
    )
    return text, commands.strip(), proof, n if "times" in asked else 1


def question(data: dict) -> str:
    """Return the question of the student's variant."""
    variant = data["student"]["variant"]
    text, commands, *_ = drawn(variant)
    return f"**Вопрос варианта {variant}.** {text} Команды:\n\n```sh\n{commands}\n```"


def properties(data: dict) -> list[list[str]]:
    """Return which step has which property, from the registry that the tests run."""
    sys.path[:0] = [str(ROOT / "steps"), str(ROOT / "tests" / "helpers")]
    from properties import PROPERTIES

    rows = [["Свойство", *(f"Шаг {step}" for step in STEPS)], ["---", *[":-:"] * len(STEPS)]]
    for prop in PROPERTIES:
        marks = ("✓" if n >= prop.first else "✗" if n >= prop.applies_from else "—" for n in STEPS)
        rows.append([capital(prop.russian).replace("*", r"\*"), *marks])
    return rows


def capital(words: str) -> str:
    """Return words that begin with a capital, as a row of a table does."""
    return words[:1].upper() + words[1:]


def checks(data: dict) -> list[list[str]]:
    """Return what `python3 steps check` says of the pairs of the steps, and of one's own."""
    rows = [["Пара", "Основные", "Дополнительные", "Первая непройденная проверка"], ["---"] * 4]
    pairs = {name.replace("step", "Шаг "): of for name, of in data["runs"]["scores"].items()}
    if own := data["runs"].get("own"):
        pairs[f"Собственная (`{own['folder']}`)"] = own
    for pair, found in pairs.items():
        graded = f"{found['passed']} из {found['of']}"
        hints = f"{found['hints']} из {found['of_hints']}"
        rows.append([pair, graded, hints, capital(found["failed"])])
    return rows


def batches(data: dict) -> list[list[str]]:
    """Return how late chats with batches and without are; `≥` where messages are missing."""

    def p99(chat: str) -> str:
        words = (f"compared.{chat}.p99{end}_ms ~2" for end in ("", "_low", "_high"))
        at_least = "≥\u00a0" if data["compared"][chat]["lost"] else ""
        return at_least + "{} ({}–{})".format(*(show(word, data) for word in words))

    return [
        ["Сервер", "С пачками", "По одному сообщению"],
        ["---", "--:", "--:"],
        ["С потоками выполнения (шаг 4)", p99("step4"), p99("single")],
        ["На `asyncio`", p99("batched"), p99("asyncio")],
    ]


TABLES = {"batches": batches, "properties": properties, "checks": checks}
KINDS = {"listing": listing, "file": file, "table": table, "question": question}
