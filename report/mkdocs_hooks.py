"""Hooks of MkDocs: the only page is report.md, and pictures come from where it finds them."""

import re
import sys
from pathlib import Path

import pypandoc
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPORT = Path(__file__).resolve().parent
sys.path.append(str(REPORT))

from document import KINDS, SOURCES, N, linked, outside_code  # noqa: E402

ALONE = "---\nhide: [navigation]\n---\n\n"  # a list of one page is of no use
PICTURE = re.compile(r"(!\[.*\])\((\S+)\)")
NUMBERED = re.compile(rf"^({'|'.join(KINDS)})\s({N})(?=\s— )", re.M)
SOURCE = re.compile(r"^(\d+)\. ", re.M)
CONTENTS = re.compile(r"^<!-- fill: contents -->.*?^<!-- end -->$", re.M | re.S)
CODE_OR_FORMULA = re.compile(r"(?P<code>^```.*?^```$|`[^`\n]+`)|\$\$?[^$\n]+\$\$?", re.M | re.S)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the report and its pictures in the place of what is in docs_dir."""
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)

    def add_picture(match: re.Match) -> str:
        path = (REPORT / match[2]).resolve()
        name = path.relative_to(REPORT.parent).as_posix()
        if name not in files.src_uris:
            files.append(File.generated(config, name, abs_src_path=str(path)))
        return f"{match[1]}({name})"

    text = CONTENTS.sub("", (REPORT / "report.md").read_text("utf-8"))  # stands beside the page
    text = outside_code(text, with_anchors)
    text = PICTURE.sub(add_picture, CODE_OR_FORMULA.sub(with_formula, text))
    files.append(File.generated(config, "index.md", content=ALONE + text))
    return files


def with_anchors(text: str) -> str:
    """Return a text with references and citations as links, and what they lead to."""
    text = NUMBERED.sub(
        lambda found: f'<a id="{KINDS[found[1]]}-{found[2]}"></a>{found[0]}', linked(text)
    )
    before, heading, sources = text.partition(f"## {SOURCES}")
    return before + heading + SOURCE.sub(r'\1. <a id="source-\1"></a>', sources)


def with_formula(match: re.Match) -> str:
    """Return a formula as MathML, which browsers set without help, and code as it is."""
    if match["code"]:
        return match[0]
    html = pypandoc.convert_text(match[0], "html", "gfm+tex_math_dollars", ["--mathml"])
    return html.strip().removeprefix("<p>").removesuffix("</p>")
