"""The pictures of the report and of README.md: they show what the programs say, and are legible."""

import ast
import html
import os
import re
from pathlib import Path

import pytest

import document
import drawing
import parts
from facts import REPORT, ROOT, Problem

needs_mermaidx = pytest.mark.skipif(
    not parts.is_installed("mermaidx"),
    reason="without mermaidx, of which there is no build for this machine",
)
DIAGRAMS = sorted((REPORT / "diagrams").glob("*.svg"))
SESSIONS = {
    "pictures/step1": "step1_echo",
    "pictures/step3": "step3_multi_threaded",
    "pictures/step4": "step4_framing_and_exit",
    "screens/chat": "step4_framing_and_exit",
}
SHOWN = sorted(
    {
        REPORT / target
        for target in re.findall(
            r"^!\[.*\]\((.*\.svg)\)$", (REPORT / "report.md").read_text("utf-8"), re.M
        )
    }
)
LEAST = 8  # points


def name_of(svg):
    return f"{svg.parent.name}/{svg.stem}"


def test_every_text_has_its_diagram_and_no_diagram_is_left_over():
    texts = {text.stem for text in drawing.DIAGRAMS.glob("*.mmd")}
    assert {svg.stem for svg in DIAGRAMS} == texts


def said_in(folder: Path) -> list[str]:
    """Return the texts of the programs in a folder as patterns: what is filled in is `.+`."""
    patterns = []
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                pieces = (getattr(piece, "value", None) for piece in node.values)
                patterns.append(
                    "".join(
                        re.escape(p) if isinstance(p, str) else ".+" for p in pieces
                    ).removesuffix("\\\n")
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                value = node.value if isinstance(node.value, str) else node.value.decode()
                patterns.append(re.sub(r"%s|\\\{\\\}", ".+", re.escape(value.rstrip("\n"))))
    return [pattern for pattern in patterns if re.search(r"[^.+\\\W]{3}", pattern)]


def lines_of(svg):
    """Return the lines of a picture of terminals as pieces: whether they were typed, and texts."""
    return [
        [
            (weight == "bold", html.unescape(text))
            for weight, text in re.findall(r'font-weight="(\w+)">(.*?)</tspan>', line)
        ]
        for line in re.findall(r"<text .*</text>", svg.read_text("utf-8"))
    ]


@pytest.mark.parametrize(("name", "step"), SESSIONS.items())
def test_what_a_program_says_in_a_picture_stands_in_its_code(name, step):
    lines = lines_of(REPORT / f"{name}.svg")
    typed = [text for line in lines for bold, text in line if bold]
    patterns, shown = said_in(ROOT / "steps" / step), []
    for line in lines:
        text = "".join(text for _, text in line)
        words = text.partition(": ")[2]
        if any(bold for bold, _ in line) and words not in typed:  # what was typed
            continue
        if text in typed or words in typed or text.startswith("Терминал "):
            continue
        shown.append(text)
    shown = [text for text in shown if not re.fullmatch(r"\w+(?:> ?)?", text)]
    assert shown
    for text in shown:
        assert any(re.fullmatch(pattern, text.strip()) for pattern in patterns), text


@pytest.mark.ci
@needs_mermaidx
@pytest.mark.parametrize("svg", DIAGRAMS, ids=name_of)
def test_a_diagram_was_drawn_from_its_text_as_it_is(tmp_path, svg):
    drawing.diagram(svg.with_suffix(".mmd"), tmp_path / "new.svg")
    assert (tmp_path / "new.svg").read_text("utf-8") == svg.read_text("utf-8")


@pytest.mark.parametrize("name", ["step1", "step2", "step3", "step4"])
def test_every_message_of_a_diagram_has_a_rim_beneath_it(name):
    svg = (drawing.DIAGRAMS / f"{name}.svg").read_text("utf-8")
    texts = re.findall(r'<text ([^>]*class="messageText".*?</text>)', svg, re.S)
    rims, tops = texts[::2], texts[1::2]
    assert tops
    assert all("stroke: #fff" in rim for rim in rims)
    assert [rim.replace("stroke: #fff; stroke-width: 5px; ", "") for rim in rims] == tops


@pytest.mark.parametrize("svg", SHOWN, ids=name_of)
def test_no_letter_of_the_report_is_printed_smaller_than_8_points(svg):
    text = svg.read_text("utf-8")
    target = os.path.relpath(svg, REPORT)
    width = float(document.VIEW_BOX.search(text)[1])
    point = document.width(target) / width / 25.4 * 72  # for a unit of the picture
    sizes = [float(size) for size in re.findall(r"font(?:-size)?[:=][\s\"]*([\d.]+)", text)]
    # matplotlib draws letters as outlines, in a font of 100 units, scaled down.
    sizes += [
        100 * float(scale) for scale in re.findall(r"translate\(.*?\) scale\(([\d.]+) -", text)
    ]
    assert sizes
    assert min(sizes) * point >= LEAST, f"{min(sizes) * point:.1f} pt"


@needs_mermaidx
def test_a_text_that_is_no_diagram_is_told_in_one_line(tmp_path):
    (tmp_path / "bad.mmd").write_text("sequenceDiagram\n    A-?>B: hello\n")
    with pytest.raises(Problem, match=r"bad\.mmd: .*line 2.*A-\?>B") as told:
        drawing.diagram(tmp_path / "bad.mmd", tmp_path / "bad.svg")
    assert "\n" not in str(told.value)
