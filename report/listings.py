"""Listings: definitions cut out of the code by their names, so that they cannot drift from it."""

import ast

from facts import Problem, read

WITHOUT_DOCSTRINGS = "without-docstrings"
HAS_BODY = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """A file of Python, out of which lines are cut."""

    def __init__(self, path: str, docstrings: bool) -> None:
        self.path = path
        text = read(path)
        self.lines = text.splitlines()
        try:
            self.tree = ast.parse(text)
        except SyntaxError as error:
            raise Problem(f"{path}:{error.lineno}: это не Python: {error.msg}") from None
        self.left_out = set() if docstrings else self.docstrings()

    def cut(self, first: int, last: int) -> list[str]:
        """Return the lines from `first` to `last` that are not left out."""
        numbers = range(first, last + 1)
        return [self.lines[number - 1] for number in numbers if number not in self.left_out]

    def find(self, name: str) -> ast.stmt:
        """Return the definition with a dotted name."""
        place = self.tree
        for part in name.split("."):
            body = getattr(place, "body", [])
            place = next((node for node in body if defines(node, part)), None)
            if place is None:
                raise Problem(f"в файле {self.path} нет {name}: исправьте имя в метке")
        return place

    def definition(self, name: str) -> list[str]:
        """Return the lines of a definition, with its decorators and the comment above it."""
        node = self.find(name)
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        while first > 1 and self.lines[first - 2].lstrip().startswith("#"):
            first -= 1
        return self.cut(first, node.end_lineno)

    def docstrings(self) -> set[int]:
        """Return the lines of docstrings and the empty ones after them; a lone docstring stays."""
        found: set[int] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, HAS_BODY) and ast.get_docstring(node) and len(node.body) > 1:
                first, last = node.body[0].lineno, node.body[0].end_lineno
                blank = not self.lines[last].strip()
                found.update(range(first, last + 1 + blank))
        return found


def defines(node: ast.stmt, name: str) -> bool:
    """Return whether a statement gives a function, a class or a constant this name."""
    targets = getattr(node, "targets", None) or [getattr(node, "target", node)]
    return name in [getattr(target, "id", getattr(target, "name", "")) for target in targets]


def fenced(lines: list[str], language: str = "python") -> str:
    """Return lines as a block of code in Markdown."""
    return "\n".join([f"```{language}", *lines, "```"])


def whole_file(path: str, *options: str) -> str:
    """Return a block with a whole file."""
    source = Source(path, docstrings=WITHOUT_DOCSTRINGS not in options)
    return fenced(source.cut(1, len(source.lines)))


def definitions(path: str, *words: str) -> str:
    """Return a block with the named definitions; methods stand under the line of their class."""
    source = Source(path, docstrings=WITHOUT_DOCSTRINGS not in words)
    names = [word for word in words if word != WITHOUT_DOCSTRINGS]
    if not names:
        raise Problem(f"метка listing: назовите функцию или класс из {path}")
    lines: list[str] = []
    owner_before = ""
    for name in names:
        owner = name.rpartition(".")[0]
        if lines:
            lines += [""] if owner and owner == owner_before else ["", ""]
        if owner and owner != owner_before:
            line = source.find(owner).lineno
            lines += source.cut(line, line)
        lines += source.definition(name)
        owner_before = owner
    return fenced(lines)
