"""The solutions of the exercises: each is a difference to what a student starts from.

tests/exercises/3_2.diff is the solution of 3.2, wrong/3_2_a.diff one that its test has to refuse.

Run:  python tests/solutions.py 3_2 FOLDER          copy step 3 to FOLDER, with the solution of 3.2
      python tests/solutions.py 3_2 FOLDER --save   keep how FOLDER differs from step 3 as 3_2.diff
"""

import argparse
import difflib
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "steps"))

from tools import entry
from tools.harness import STEPS

EXERCISES = Path(__file__).parent / "exercises"
HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")
Files = dict[str, str]  # a folder: the text of each file, by its name


class DoesNotFit(ValueError):
    """A difference changes lines that are not there."""


def names() -> list[str]:
    """Return the names of all exercises, such as 3_2."""
    return sorted(path.stem.removeprefix("test_") for path in EXERCISES.glob("test_*.py"))


def wrong_names() -> list[str]:
    """Return the names of all wrong solutions, such as 3_2_a."""
    return sorted(path.stem for path in (EXERCISES / "wrong").glob("*.diff"))


def programs(*paths: Path) -> Files:
    """Return these Python files, and those in these folders."""
    files = [file for path in paths for file in (path.glob("*.py") if path.is_dir() else [path])]
    return {file.name: file.read_text("utf-8") for file in sorted(files)}


def write(files: Files, folder: Path) -> None:
    """Write files into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())


def step_of(exercise: str) -> Path:
    """Return the folder of the step that an exercise builds on."""
    return STEPS[int(exercise[0])]


def start_of(exercise: str) -> Files:
    """Return the files that a student starts from: a step, or the server of one and more."""
    if exercise.startswith("4_1"):
        return programs(STEPS[3] / "server.py", STEPS[4] / "framing.py")
    return programs(step_of(exercise))


def file_of(name: str) -> Path:
    """Return the file of a solution, such as 3_2, or of a wrong one, such as 3_2_a."""
    return EXERCISES / ("wrong" if name.count("_") == 2 else "") / f"{name}.diff"


def solved(name: str) -> Files:
    """Return what a student starts from, with a solution, right or wrong."""
    try:
        return apply(file_of(name).read_text("utf-8"), start_of(name))
    except DoesNotFit as error:
        raise DoesNotFit(f"{name}.diff does not fit its step any more: {error}") from None


def compare(before: Files, after: Files) -> str:
    """Return the difference between two folders, as `diff -u` writes it."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = (files.get(name, "").splitlines(keepends=True) for files in (before, after))
        lines += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", n=2)
    return "".join(lines)


def apply(difference: str, files: Files) -> Files:
    """Return the files as they are after a difference; raise DoesNotFit if it cannot be.

    Lines may have moved since the difference was made: a hunk is put where its old lines stand,
    next to where they stood. Each text has to end in a newline.
    """
    files = dict(files)
    for part in re.split(r"^--- a/", difference, flags=re.MULTILINE)[1:]:
        name = part.partition("\n")[0]
        lines = files.get(name, "").splitlines(keepends=True)
        moved, begin = 0, 0
        for start, old, new in hunks(part):
            expected = start - 1 + moved
            places = [
                at
                for at in range(begin, len(lines) - len(old) + 1)
                if lines[at : at + len(old)] == old
            ]
            if not places:
                raise DoesNotFit(f"{name}, around line {start}: {''.join(old).strip()!r}")
            place = min(places, key=lambda at: abs(at - expected))
            lines[place : place + len(old)] = new
            begin = place + len(new)
            moved = begin - len(old) - start + 1
        files[name] = "".join(lines)
    return files


def hunks(part: str) -> list[tuple[int, list[str], list[str]]]:
    """Return the hunks of a file's difference: the first line, the old lines, the new lines."""
    found = []
    for line in part.splitlines(keepends=True)[2:]:
        if head := HUNK.match(line):
            found.append((max(int(head[1]), 1), [], []))
            continue
        if line[0] in " -":
            found[-1][1].append(line[1:])
        if line[0] in " +":
            found[-1][2].append(line[1:])
    return found


def main() -> int:
    """Copy a solution, or keep one. What stands before a difference is kept with it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", metavar="N_M", help=", ".join(names() + wrong_names()))
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--save", action="store_true", help="keep the solution that is in FOLDER")
    args = parser.parse_args()
    try:
        if args.save:
            file = file_of(args.name)
            head = file.read_text("utf-8").partition("--- a/")[0] if file.exists() else ""
            text = head + compare(start_of(args.name), programs(args.folder))
            file.write_bytes(text.encode())
        elif args.name not in names() + wrong_names():
            raise ValueError(f"there is no solution {args.name}: take one of {', '.join(names())}")
        elif args.folder.exists():
            raise FileExistsError(f"{args.folder} is there already: name a folder that is not")
        else:
            write(solved(args.name), args.folder)
    except (OSError, ValueError) as error:
        print(f"solutions: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(entry.run("solutions", main))
