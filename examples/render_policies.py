"""Render examples/shop/policies.md into the PDF files of the sample data.

A PDF cannot be edited, so the text lives in ``policies.md``; a comment line such as
``<!-- file: 2026-11-02/policies/name.pdf -->`` starts a new document. The output is
reproducible (``invariant=1``). Run: ``python examples/render_policies.py``
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate

SHOP = Path(__file__).resolve().parent / "shop"
BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=11, leading=15.5, spaceAfter=7)
HEADING = ParagraphStyle("heading", BODY, fontName="Helvetica-Bold", fontSize=12.5, spaceBefore=6, keepWithNext=True)
TITLE = ParagraphStyle("title", HEADING, fontSize=18, leading=24)


def flowables(markdown: str) -> list[Flowable]:
    """Turn the small Markdown subset (#, ## and paragraphs) into flowables."""
    result: list[Flowable] = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        text = block.lstrip("#")
        style = (BODY, TITLE, HEADING)[len(block) - len(text)]
        result.append(Paragraph(html.escape(" ".join(text.split()), quote=False), style))
    return result


def render(source: Path = SHOP / "policies.md", target: Path = SHOP) -> list[Path]:
    """Write every document of the source below the target folder; return the paths."""
    parts = re.split(r"<!-- file: (\S+) -->", source.read_text(encoding="utf-8"))[1:]
    written: list[Path] = []
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        title = text.strip().splitlines()[0].lstrip("# ")
        document = SimpleDocTemplate(str(path), pagesize=A4, title=title, author="Fjellbrook", invariant=1)
        document.build(flowables(text))
        written.append(path)
    return written


if __name__ == "__main__":
    sys.stdout.writelines(f"{pdf}\n" for pdf in render())
