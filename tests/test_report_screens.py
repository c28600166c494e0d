"""The pictures in README.md: made from real runs, known when they are out of date."""

import os

import pytest

import drawing

FOLDER = drawing.ROOT / "report" / "screens"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")


@pytest.mark.parametrize("name", ["tour", "chat"])
def test_a_picture_was_made_from_its_sources_as_they_are(name):
    import screens

    svg = (FOLDER / f"{name}.svg").read_text("utf-8")
    assert svg.endswith(drawing.mark(screens.sources(name))), (
        f"run: python report/screens.py {name}"
    )


def test_a_chat_is_played_and_drawn(tmp_path):
    import screens

    screens.make("chat", tmp_path)
    svg = (tmp_path / "chat.svg").read_text("utf-8")
    for shown in (">listening</text>", ">/quit</text>", ">bye</text>", ">shutting</text>"):
        assert shown in svg
    assert 'font-weight="bold">/quit<' in svg  # it was typed
    assert 'font-weight="bold">bye<' not in svg
