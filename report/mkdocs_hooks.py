"""Hooks of MkDocs: the only page is report.md, and pictures come from where it finds them."""

import re
from pathlib import Path

import pypandoc
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPORT = Path(__file__).resolve().parent
ALONE = "---\nhide: [navigation]\n---\n\n"  # a list of one page is of no use
PICTURE = re.compile(r"(!\[.*\])\((\S+)\)")
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
    text = PICTURE.sub(add_picture, CODE_OR_FORMULA.sub(with_formula, text))
    files.append(File.generated(config, "index.md", content=ALONE + text))
    return files


def with_formula(match: re.Match) -> str:
    """Return a formula as MathML, which browsers set without help, and code as it is."""
    if match["code"]:
        return match[0]
    html = pypandoc.convert_text(match[0], "html", "gfm+tex_math_dollars", ["--mathml"])
    return html.strip().removeprefix("<p>").removesuffix("</p>")
