"""Listings: definitions cut out of the code by their names, so that they cannot drift from it."""

import ast

from facts import Problem, read

HAS_BODY = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def fenced(lines: list[str], language: str = "python") -> str:
    """Return lines as a block of code in Markdown."""
    return "\n".join([f"```{language}", *lines, "```"])


def whole_file(path: str) -> str:
    """Return a block with a whole file."""
    return fenced(read(path).splitlines())


def definitions(path: str, *names: str) -> str:
    """Return a block with definitions without docstrings; methods under the line of their class."""
    if not names:
        raise Problem(f"метка listing: назовите функцию или класс из {path}")
    text = read(path)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise Problem(f"{path}:{error.lineno}: это не Python: {error.msg}") from None
    lines, shown, owner_before = text.splitlines(), [], ""
    left_out = docstrings(tree, lines)
    for name in names:
        owner = name.rpartition(".")[0]
        if shown:
            shown += [""] if owner and owner == owner_before else ["", ""]
        if owner and owner != owner_before:
            shown.append(lines[find(tree, owner, path).lineno - 1])
        node = find(tree, name, path)
        first = min([node.lineno, *(line.lineno for line in getattr(node, "decorator_list", []))])
        while first > 1 and lines[first - 2].lstrip().startswith("#"):  # the comment above
            first -= 1
        numbers = range(first, node.end_lineno + 1)
        shown += [lines[number - 1] for number in numbers if number not in left_out]
        owner_before = owner
    return fenced(shown)


def find(tree: ast.Module, name: str, path: str) -> ast.stmt:
    """Return the definition with a dotted name."""
    place = tree
    for part in name.split("."):
        body = getattr(place, "body", [])
        place = next((node for node in body if defines(node, part)), None)
        if place is None:
            raise Problem(f"в файле {path} нет {name}: исправьте имя в метке")
    return place


def defines(node: ast.stmt, name: str) -> bool:
    """Return whether a statement gives a function, a class or a constant this name."""
    targets = getattr(node, "targets", None) or [getattr(node, "target", node)]
    return name in [getattr(target, "id", getattr(target, "name", "")) for target in targets]


def docstrings(tree: ast.Module, lines: list[str]) -> set[int]:
    """Return the lines of docstrings and the empty ones after them; a lone docstring stays."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, HAS_BODY) and ast.get_docstring(node) and len(node.body) > 1:
            first, last = node.body[0].lineno, node.body[0].end_lineno
            found.update(range(first, last + 1 + (not lines[last].strip())))
    return found
