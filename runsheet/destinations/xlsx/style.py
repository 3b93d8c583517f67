"""Cell formats of a workbook: which show dates, and the few that we may have to add.

Formats are only ever added, at the end: their numbers are what cells refer to.
"""

import re

from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.markup import MAIN, Document, Edit, Element, Unfit

_FORMAT = 'numFmtId="0" fontId="0" fillId="0" borderId="0"'
MINIMAL = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<styleSheet xmlns="{MAIN}">
<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>
<fills count="2"><fill><patternFill patternType="none"/></fill>
<fill><patternFill patternType="gray125"/></fill></fills>
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>
<cellStyleXfs count="1"><xf {_FORMAT}/></cellStyleXfs>
<cellXfs count="1"><xf {_FORMAT} xfId="0"/></cellXfs>
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>
</styleSheet>""".encode()
"""For workbooks without formats (some programs write such)."""

# Numbers that mean a date or time format without a code being given (ECMA-376, 18.8.30).
_DATES = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
_NOT_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_FIRST_OWN = 164

_FILL = '<{p}fill><{p}patternFill patternType="solid"><{p}fgColor rgb="FFEAEEF3"/></{p}patternFill></{p}fill>'
_BORDER = (
    '<{p}border><{p}left/><{p}right/><{p}top/><{p}bottom style="thin"><{p}color rgb="FF8A94A3"/></{p}bottom>'
    "<{p}diagonal/></{p}border>"
)


class Styles:
    """The styles part, and what has been added to it so far."""

    def __init__(self, data: bytes, date_format: str) -> None:
        self._document = Document(data)
        self._prefix = self._document.prefix
        self._code = date_format
        self._added: dict[str, list[bytes]] = {}
        formats = self._document.first("styleSheet/cellXfs")
        if formats is None:
            raise Unfit("is damaged: its styles hold no cell formats")
        self._formats = [self._read(element) for element in formats.children]
        self._codes = {
            int(element.attrs["numFmtId"]): element.attrs.get("formatCode", "")
            for element in self._document.all("styleSheet/numFmts/numFmt")
        }
        self._dated: dict[int, int] = {}

    def is_date(self, style: int) -> bool:
        """Whether a cell of this style shows a serial as a date."""
        if style >= len(self._formats):
            return False
        number = int(self._formats[style][0].get("numFmtId", 0))
        code = self._codes.get(number)
        return number in _DATES if code is None else _shows_date(code)

    def dated(self, base: int) -> int:
        """A style like `base` that shows dates; `base` itself if it does."""
        if self.is_date(base):
            return base
        if base not in self._dated:
            attrs, inner = self._formats[base] if base < len(self._formats) else self._formats[0]
            changes = {"numFmtId": str(self._date_number()), "applyNumberFormat": "1"}
            if b"alignment" not in inner:
                # At the right edge, as numbers are, dates run into the text beside them.
                inner = f'<{self._prefix}alignment horizontal="left"/>'.encode() + inner
                changes["applyAlignment"] = "1"
            self._dated[base] = self._format({**attrs, **changes}, inner)
        return self._dated[base]

    def header(self) -> int:
        """The style of a header that we make where none of ours is to be copied."""
        prefix = self._prefix
        font = self._append("fonts", self._bold())
        fill = self._append("fills", _FILL.format(p=prefix))
        border = self._append("borders", _BORDER.format(p=prefix))
        attrs, _ = self._formats[0]
        changes = {
            "fontId": str(font),
            "fillId": str(fill),
            "borderId": str(border),
            "applyFont": "1",
            "applyFill": "1",
            "applyBorder": "1",
        }
        return self._format({**attrs, **changes}, b"")

    def patched(self) -> bytes | None:
        """The part with all additions; None when there are none."""
        edits = [self._edit(name, parts) for name, parts in self._added.items()]
        return xml.splice(self._document.data, edits) if edits else None

    def _read(self, element: Element) -> tuple[dict[str, str], bytes]:
        return element.attrs, self._document.data[element.inner : element.close]

    def _format(self, attrs: dict[str, str], inner: bytes) -> int:
        """A cell format: one that is there, or a new one. Looking first matters: a column whose
        last cell is empty would otherwise grow the part at every tick."""
        if (attrs, inner) in self._formats:
            return self._formats.index((attrs, inner))
        words = "".join(f" {name}={xml.quoted(value)}" for name, value in attrs.items())
        tag = f"{self._prefix}xf"
        body = f">{inner.decode()}</{tag}>" if inner else "/>"
        self._formats.append((attrs, inner))
        return self._append("cellXfs", f"<{tag}{words}{body}")

    def _date_number(self) -> int:
        """The number of our date format, which is made at first use."""
        for number, code in self._codes.items():
            if code == self._code:
                return number
        number = max([_FIRST_OWN - 1, *self._codes]) + 1
        self._codes[number] = self._code
        code = xml.quoted(self._code)
        self._append("numFmts", f'<{self._prefix}numFmt numFmtId="{number}" formatCode={code}/>')
        return number

    def _bold(self) -> str:
        """The first font, which is the workbook's own, in bold."""
        prefix, fonts = self._prefix, self._document.first("styleSheet/fonts/font")
        inner = self._document.data[fonts.inner : fonts.close].decode() if fonts else ""
        bold = "" if re.search(rf"<{prefix}b[\s/>]", inner) else f"<{prefix}b/>"
        return f"<{prefix}font>{bold}{inner}</{prefix}font>"

    def _append(self, collection: str, item: str) -> int:
        """Add to a collection; the index of the item."""
        element = self._document.first(f"styleSheet/{collection}")
        added = self._added.setdefault(collection, [])
        added.append(item.encode())
        return (len(element.children) if element else 0) + len(added) - 1

    def _edit(self, name: str, parts: list[bytes]) -> Edit:
        data, root = self._document.data, self._document.root
        element = self._document.first(f"styleSheet/{name}")
        if element is None:
            # Only number formats may be missing in a part that has cell formats: they come first.
            tag = f"{self._prefix}{name}"
            body = f'<{tag} count="{len(parts)}">'.encode() + b"".join(parts) + f"</{tag}>".encode()
            return Edit(root.inner, root.inner, [body])
        count = str(len(element.children) + len(parts))
        tag_bytes = xml.with_attrs(xml.opened(data[element.start : element.inner]), {"count": count})
        old = data[element.inner : element.close]
        return Edit(element.start, element.end, [tag_bytes, old, *parts, xml.end_tag(tag_bytes)])


def _shows_date(code: str) -> bool:
    """Whether a format code has a part of a date or clock time outside of quotes; elapsed times
    ([h]:mm) are no dates."""
    first = code.split(";")[0]
    if re.search(r"\[[hms]+\]", first, re.IGNORECASE):
        return False
    return bool(re.search("[dmyhs]", _NOT_CODE.sub("", first), re.IGNORECASE))
