"""report.html as a reader finds it: its tables, its words block by block, its tags."""

from html.parser import HTMLParser

VOID = {"meta", "br", "use", "path", "image", "img"}
BLOCKS = {"h1", "h2", "h3", "p", "dt", "dd", "figcaption", "li"}


class Page(HTMLParser):
    """The page as tables of cells by heading, its words, its blocks of text outside tables, its tags, and every address in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self.blocks: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside: list[str] = []
        self._heading = ""
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())
        self.blocks = [" ".join(block.split()) for block in self.blocks]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._inside.append(tag)
        if tag in BLOCKS:
            self.blocks.append("")
        if tag == "table":
            self.tables[self._heading] = []
        if tag == "tr":
            self.tables[self._heading].append([])
        if tag in ("td", "th"):
            self.tables[self._heading][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._inside.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" in self._inside or "svg" in self._inside:
            return
        self.words.append(data)
        if self._inside and self._inside[-1] == "h2":
            self._heading = data
        if "table" not in self._inside and BLOCKS & set(self._inside):
            self.blocks[-1] += data
        if self._inside and self._inside[-1] in ("td", "th"):
            self.tables[self._heading][-1][-1] += data
