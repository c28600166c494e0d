"""The pictures of the report and of README.md: made from real sessions and texts, and legible."""

import html
import os
import re
import socket

import pytest

import document
import drawing
import parts
from facts import REPORT, Problem
from tools.harness import Story

needs_mermaidx = pytest.mark.skipif(
    not parts.is_installed("mermaidx"),
    reason="without mermaidx, of which there is no build for this machine",
)
needs_terminals = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
FOLDERS = ("pictures", "diagrams", "screens")
DRAWN = sorted(path for folder in FOLDERS for path in (REPORT / folder).glob("*.svg"))
SHOWN = [
    REPORT / target
    for target in re.findall(
        r"^!\[.*\]\((.*\.svg)\)$", (REPORT / "report.md").read_text("utf-8"), re.M
    )
]
LEAST = 8  # points


def name_of(svg):
    return f"{svg.parent.name}/{svg.stem}"


@pytest.mark.parametrize("svg", DRAWN, ids=name_of)
def test_a_picture_was_made_from_its_sources_as_they_are(svg):
    assert drawing.is_current(svg), f"run: python report/build.py pictures {name_of(svg)}"


@needs_terminals
def test_every_session_and_every_text_has_its_picture_and_no_picture_is_left_over():
    import terminals

    texts = {f"diagrams/{text.stem}" for text in drawing.DIAGRAMS.glob("*.mmd")}
    assert set(map(name_of, DRAWN)) == texts | set(terminals.STORIES)


def test_a_picture_is_out_of_date_when_a_source_changes_or_is_missing(tmp_path):
    source, svg = tmp_path / "source.py", tmp_path / "picture.svg"
    source.write_text("before\n")
    drawing.save('<svg viewBox="0 0 1 1"></svg>', svg, 1, [source])
    assert drawing.is_current(svg)
    source.write_bytes(b"before\r\n")  # as a checkout on Windows has it
    assert drawing.is_current(svg)
    source.write_text("before  # a comment\n# and one more\n")
    assert drawing.is_current(svg)
    source.write_text("after\n")
    assert not drawing.is_current(svg)
    source.unlink()
    assert not drawing.is_current(svg)


@needs_terminals
@pytest.mark.parametrize(
    ("name", "title", "typed", "shown", "stay"),
    [
        ("pictures/step1", "Терминал 2: клиент ", "привет", "привет", 0),
        ("pictures/step3", "Терминал 4: Вера ", "Борис ушёл, нас двое", "* Борис left", 2),
        ("pictures/step4", "Терминал 4: Вера ", "/quit", "* online: Анна, Борис, Вера", 2),
        ("screens/chat", "bob", "/quit", "* online: ann, bob", 1),
    ],
)
def test_a_session_is_played_and_drawn(tmp_path, monkeypatch, name, title, typed, shown, stay):
    import terminals

    port = free_port()
    step, columns, deeds = terminals.STORIES[name]
    deeds = [
        [text.replace("8080", str(port)).replace(".py", f".py --port {port}") for text in deed]
        for deed in deeds
    ]
    monkeypatch.setattr(terminals, "PORT", port)
    monkeypatch.setitem(terminals.STORIES, name, (step, columns, deeds))
    terminals.make(name, tmp_path / "played.svg")
    lines = lines_of(tmp_path / "played.svg")
    assert any(line[0].startswith(title) for line in lines)
    assert [f"listening on 127.0.0.1:{port}"] in lines
    assert any(line[-1] == f"**{typed}**" for line in lines)
    assert any(line[0] == "**^C**" for line in lines)
    assert [shown] in lines  # by a program: it is not bold
    assert lines.count(["the server has closed the connection"]) == stay
    assert len([line for line in lines if line[0] == "$ "]) == len({who for who, *_ in deeds})
    assert drawing.is_current(tmp_path / "played.svg")


def lines_of(svg):
    """Return the lines of a picture as pieces of the same look; what is bold as **bold**."""
    return [
        [
            f"**{html.unescape(text)}**" if weight == "bold" else html.unescape(text)
            for weight, text in re.findall(r'font-weight="(\w+)">(.*?)</tspan>', line)
        ]
        for line in re.findall(r"<text .*</text>", svg.read_text("utf-8"))
    ]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@needs_terminals
def test_a_line_of_a_picture_is_as_wide_as_its_columns():
    import terminals

    line = terminals.text(
        [("👋", "green", False), ("", "green", False), ("<", "green", False)], 0, 0
    )
    assert f'textLength="{3 * terminals.CHAR:.2f}"' in line
    assert '<tspan fill="green" font-weight="normal">👋&lt;</tspan>' in line


@needs_terminals
def test_a_port_that_is_taken_is_told_in_one_line(tmp_path, monkeypatch):
    import terminals

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(terminals, "PORT", port)
        with pytest.raises(Problem, match=rf"^порт {port} занят: остановите .*$"):
            terminals.make("pictures/step1", tmp_path / "step1.svg")


@needs_terminals
@pytest.mark.parametrize(
    ("seen", "part"), [("listening", []), ("", ["not there", "nor there"])], ids=["wait", "part"]
)
def test_a_session_that_goes_another_way_is_told(tmp_path, monkeypatch, seen, part):
    import terminals

    deeds = [("клиент", "python3 client.py --help", seen)]
    monkeypatch.setattr(terminals, "PORT", free_port())
    monkeypatch.setattr(terminals, "Story", lambda: Story(deadline=1 if seen else 10))
    monkeypatch.setitem(terminals.STORIES, "pictures/step1", (1, 45, deeds, *part))
    with pytest.raises(
        Problem, match=rf"^pictures/step1: сеанс пошёл не так\n(?s:.*)({seen or part[0]})"
    ):
        terminals.make("pictures/step1", tmp_path / "step1.svg")
    assert not (tmp_path / "step1.svg").exists()


@needs_mermaidx
def test_a_diagram_is_drawn_the_same_again(tmp_path):
    drawing.diagram("diagrams/step1", tmp_path / "step1.svg")
    assert (tmp_path / "step1.svg").read_text("utf-8") == (
        drawing.DIAGRAMS / "step1.svg"
    ).read_text("utf-8")


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
def test_a_text_that_is_no_diagram_is_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "bad.mmd").write_text("sequenceDiagram\n    A-?>B: hello\n")
    monkeypatch.setattr(drawing, "DIAGRAMS", tmp_path)
    with pytest.raises(Problem, match=r"bad\.mmd: .*line 2.*A-\?>B") as told:
        drawing.diagram("diagrams/bad", tmp_path / "bad.svg")
    assert "\n" not in str(told.value)
