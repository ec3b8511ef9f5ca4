"""What a page must be, whatever names and numbers it shows: whole, and without a program."""

from html.parser import HTMLParser

_VOID = {"meta", "br", "img", "hr", "wbr"}
_FORBIDDEN = {"script", "iframe", "object", "embed", "form", "base", "link", "foreignobject"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; and the first thing that is not well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.text, self.fault = "", ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        if self._open:
            self.fault = self.fault or f"<{self._open[-1]}> has no end"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.fault = self.fault or f"</{tag}> ends nothing"

    def handle_data(self, data: str) -> None:
        self.text += data


def require_harmless(text: str) -> None:
    """Raises AssertionError for a page that is not well-formed, or could run or fetch anything."""
    page = Page(text)
    assert not page.fault, page.fault
    assert not page.tags & _FORBIDDEN, page.tags & _FORBIDDEN
    for name, value in page.attributes:
        assert not name.startswith("on"), name
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:image/jpeg;base64,")), value[:99]
        assert name not in ("srcset", "action", "formaction", "srcdoc"), name
