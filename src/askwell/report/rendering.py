"""A page that needs nothing but itself: its templates filled in, and its figures inlined. Loads no matplotlib."""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from askwell.store.files import replace_file

PAGE_NAME = "report.html"


class Drawn(NamedTuple):
    """A figure inlined, and the names of its files; empty where there was nothing to draw."""

    figure: Markup = Markup("")
    names: tuple[str, ...] = ()


def write_page(template: str, content: Mapping[str, Any], directory: Path) -> Path:
    """Fill the template in and replace the directory's report.html atomically; returns its path."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_template),
    )
    page = environment.get_template(template).render(content)
    path = directory / PAGE_NAME
    replace_file(path, lambda temporary: temporary.write_bytes(page.encode("utf-8", "replace")))
    return path


def inlined(paths: tuple[Path, Path], words: str) -> Drawn:
    """A figure that was written as PNG and SVG, with a text for those who do not see it."""
    png, svg = paths
    figure = _inline(svg.read_text(encoding="utf-8"), words, prefix=svg.stem)
    return Drawn(figure, (png.name, svg.name))


def _inline(svg: str, description: str, *, prefix: str) -> Markup:
    """The SVG as part of a page: no prologue, comments, metadata, namespaces or fixed size, ids of its own, and a text for those who
    do not see it.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{prefix}-", svg)
    opening, rest = svg.split(">", 1)
    opening = re.sub(r'\s(?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", opening)
    label = f' role="img" aria-label="{escape(description)}"'
    return Markup(opening + label + ">" + re.sub(r"\n\s*", "\n", rest))


def _template(name: str) -> str:
    return files("askwell.report").joinpath(name).read_text(encoding="utf-8")
