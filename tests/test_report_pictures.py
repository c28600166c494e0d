"""The pictures of the report: made from real sessions and from texts, known when out of date."""

import os
import re

import pytest
from PIL import Image

import diagrams
import drawing
import parts

needs_mermaidx = pytest.mark.skipif(
    not parts.is_installed("mermaidx"),
    reason="without mermaidx, of which there is no build for this machine",
)
REPORT = drawing.ROOT / "report"
PICTURES = sorted([*REPORT.glob("pictures/*.svg"), *REPORT.glob("diagrams/*.svg")])


@pytest.mark.parametrize("svg", PICTURES, ids=lambda svg: f"{svg.parent.name}/{svg.stem}")
def test_a_picture_in_the_report_was_made_from_its_sources_as_they_are(svg):
    kind = {"pictures": "terminals", "diagrams": "diagrams"}[svg.parent.name]
    assert drawing.is_current(svg), f"run: python report/{kind}.py {svg.stem}"


def test_every_step_has_its_session_and_every_text_its_diagram():
    texts = {text.with_suffix(".svg") for text in diagrams.FOLDER.glob("*.mmd")}
    sessions = {REPORT / "pictures" / f"step{step}.svg" for step in (1, 2, 3, 4)}
    assert set(PICTURES) == texts | sessions


def test_a_picture_is_out_of_date_when_a_source_changes_or_a_file_is_missing(tmp_path):
    source, svg = tmp_path / "source.py", tmp_path / "picture.svg"
    source.write_text("before\n")
    square = '<svg xmlns="http://www.w3.org/2000/svg" width="9mm" height="9mm"/>'
    drawing.save(square, svg, [source])
    assert drawing.is_current(svg)
    source.write_bytes(b"before\r\n")  # as a checkout on Windows has it
    assert drawing.is_current(svg)
    source.write_text("after\n")
    assert not drawing.is_current(svg)
    source.unlink()
    assert not drawing.is_current(svg)
    source.write_text("before\n")
    svg.with_suffix(".png").unlink()
    assert not drawing.is_current(svg)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_session_is_played_and_drawn(tmp_path):
    import terminals

    terminals.make("step4", terminals.free_port(), tmp_path)
    svg = (tmp_path / "step4.svg").read_text("utf-8")
    for shown in ("* Борис left", "* online: Анна, Вера", "Борис left: bye", "* bye"):
        assert f">{shown}<" in svg
    assert 'font-weight="bold">/quit<' in svg
    with Image.open(tmp_path / "step4.png") as png:
        assert png.width / png.info["dpi"][0] * 25.4 == pytest.approx(drawing.PRINTED, abs=0.5)


@needs_mermaidx
def test_a_diagram_is_drawn_the_same_again(tmp_path):
    diagrams.make("step1", tmp_path)
    drawn, kept = tmp_path / "step1.svg", diagrams.FOLDER / "step1.svg"
    assert drawn.read_text("utf-8") == kept.read_text("utf-8")
    with Image.open(drawn.with_suffix(".png")) as new, Image.open(kept.with_suffix(".png")) as old:
        assert new.tobytes() == old.tobytes()


@pytest.mark.parametrize("name", ["step1", "step2", "step3", "step4"])
def test_every_message_of_a_diagram_has_a_rim_beneath_it(name):
    svg = (diagrams.FOLDER / f"{name}.svg").read_text("utf-8")
    texts = re.findall(r'<text ([^>]*class="messageText".*?</text>)', svg, re.S)
    rims, tops = texts[::2], texts[1::2]
    assert tops
    assert all("stroke: #fff" in rim for rim in rims)
    assert [rim.replace("stroke: #fff; stroke-width: 5px; ", "") for rim in rims] == tops


@pytest.mark.parametrize("svg", PICTURES, ids=lambda svg: f"{svg.parent.name}/{svg.stem}")
def test_no_letter_is_printed_smaller_than_8_points(svg):
    text = svg.read_text("utf-8")
    millimetres, units = re.search(
        r'width="([\d.]+)mm".*?viewBox="\S+ \S+ (\S+) ', text, re.S
    ).groups()
    assert float(millimetres) <= drawing.PRINTED
    point = float(millimetres) / float(units) / 25.4 * 72
    sizes = {float(size) for size in re.findall(r"font-size[:=][\s\"]*([\d.]+)", text)}
    assert min(sizes) * point >= 8


@pytest.mark.parametrize("name", ["step1", "step2", "step3", "step4"])
def test_no_row_of_pixels_is_lost_in_the_png_of_a_diagram(name):
    svg = (diagrams.FOLDER / f"{name}.svg").read_text("utf-8")
    with Image.open(diagrams.FOLDER / f"{name}.png") as png:
        for length, pixels in zip(re.findall(r'="([\d.]+)mm"', svg), png.size, strict=True):
            assert pixels - 0.05 < float(length) / 25.4 * drawing.PPI < pixels


@needs_mermaidx
def test_a_text_that_is_no_diagram_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "bad.mmd").write_text("sequenceDiagram\n    A-?>B: hello\n")
    monkeypatch.setattr(diagrams, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["diagrams.py"])
    assert diagrams.main() == 1
    told = capsys.readouterr().out
    assert "line 2" in told
    assert "A-?>B" in told
    assert told.count("\n") == 1
