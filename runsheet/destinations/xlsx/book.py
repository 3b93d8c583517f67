"""The workbook part: its tabs, and the marks of our columns, which are hidden defined names.

Office programs move a name with the column it stands for, and write #REF! when the column is
deleted: so a column is known by identity, whatever people do to its place and title (P3). The
name's comment, which people do not see either, says which column of which table it is or was.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from runsheet.destinations.a1 import column, letters
from runsheet.destinations.xlsx import markup as xml
from runsheet.destinations.xlsx.markup import MAIN, RELATIONS, STRICT, Document, Edit, Unfit
from runsheet.destinations.xlsx.package import Package

NOTES = "_runsheet"
"""The hidden tab of the book-keeping."""
MARK = re.compile(r"_rs_([0-9]+)")

_MADE = re.compile(r"runsheet ([\w-]{6}) (.+)")
_WHOLE = re.compile(r"(?:'((?:[^']|'')+)'|([^'!]+))!\$?([A-Z]{1,3})(?:\$?\d+)?:\$?([A-Z]{1,3})(?:\$?\d+)?")
_FILTER = "_xlnm._FilterDatabase"


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of the workbook; `part` is "" for what is no table."""

    name: str
    part: str


@dataclass(frozen=True, slots=True)
class NewTab:
    """A tab to add, which the workbook refers to by the relationship `relation`."""

    name: str
    relation: str
    hidden: bool = False


@dataclass(slots=True)
class Book:
    """What the workbook part says. `marks` are our names that stand for a column now: number to
    tab and column; `last_mark` is the highest number ever given, of lost columns too. `made` are the
    fingerprints of columns ever made by table, as far as their comments are kept."""

    part: str
    document: Document
    tabs: list[Tab] = field(default_factory=list)
    marks: dict[int, tuple[str, int]] = field(default_factory=dict)
    last_mark: int = 0
    made: dict[str, set[str]] = field(default_factory=dict)
    from_1904: bool = False
    styles: str = ""
    shared: str = ""
    chain: bool = False

    def tab(self, name: str) -> Tab | None:
        """A tab by its name; programs do not tell upper from lower case there."""
        return next((tab for tab in self.tabs if tab.name.casefold() == name.casefold()), None)


def load(package: Package) -> Book:
    """Read the workbook part; raises Unfit for what is no ordinary workbook."""
    part = package.main_part()
    relations = {relation.id: relation for relation in package.relations(part)}
    document = package.document(part)
    if document.namespace.startswith(STRICT):
        raise Unfit('is in the rare "Strict Open XML" format: save it as an ordinary .xlsx')
    if document.namespace != MAIN or document.first("workbook/sheets") is None:
        raise Unfit("is no Excel workbook")
    book = Book(part, document)
    for element in document.all("workbook/sheets/sheet"):
        relation = relations.get(element.attrs.get(f"{RELATIONS} id", ""))
        plain = relation is not None and relation.kind == "worksheet"
        target = relation.target if relation and plain else ""
        book.tabs.append(Tab(element.attrs.get("name", ""), target))
    by_kind = {relation.kind: relation.target for relation in relations.values()}
    book.styles, book.shared = by_kind.get("styles", ""), by_kind.get("sharedStrings", "")
    book.chain = "calcChain" in by_kind
    properties = document.first("workbook/workbookPr")
    book.from_1904 = _true(properties.attrs.get("date1904", "")) if properties else False
    _read_marks(book)
    return book


def _read_marks(book: Book) -> None:
    for element in book.document.all("workbook/definedNames/definedName"):
        match = MARK.fullmatch(element.attrs.get("name", ""))
        # Copying a tab copies its names, bound to the copy: those are not our table.
        if match is None or "localSheetId" in element.attrs:
            continue
        number = int(match[1])
        book.last_mark = max(book.last_mark, number)
        if made := _MADE.fullmatch(element.attrs.get("comment", "")):
            book.made.setdefault(made[2], set()).add(made[1])
        whole = _WHOLE.fullmatch(element.text.strip())
        if whole and whole[3] == whole[4]:
            tab = whole[1].replace("''", "'") if whole[1] else whole[2].removeprefix("$")
            book.marks[number] = (tab, column(whole[3]))


@dataclass(slots=True)
class Changes:
    """What to change in the workbook part. `marks` are new: number to column of the tab `tab`, and
    `prints` the fingerprints of their keys in the table `table`. `moved` are marks that are there, and
    the columns that they shall stand for. `over`: this table starts over, and
    its older fingerprints are forgotten. `filter_ref` replaces the range of that tab's filter, from
    old to new."""

    tab: str
    table: str
    tabs: Sequence[NewTab] = ()
    marks: dict[int, int] = field(default_factory=dict)
    prints: dict[int, str] = field(default_factory=dict)
    moved: dict[int, int] = field(default_factory=dict)
    over: bool = False
    filter_ref: tuple[str, str] | None = None
    recalculate: bool = False


def patched(book: Book, changes: Changes) -> bytes | None:
    """The workbook part with the changes made; None when nothing differs."""
    edits = [
        *_add_tabs(book.document, changes.tabs),
        *_move_filter(book, changes),
        *_forget(book.document, changes),
        *_move_marks(book.document, changes),
        *_names_and_recalculation(book.document, changes),
    ]
    return xml.splice(book.document.data, edits) if edits else None


def _add_tabs(document: Document, tabs: Sequence[NewTab]) -> list[Edit]:
    """New tabs come last: names bound to a tab count the tabs before it."""
    sheets = document.first("workbook/sheets")
    if not tabs or sheets is None:
        return []
    last = max((int(tab.attrs.get("sheetId", 0)) for tab in sheets.children), default=0)
    state = {True: ' state="hidden"', False: ""}
    new = "".join(
        f'<{document.prefix}sheet xmlns:rs="{RELATIONS}" name={xml.quoted(tab.name)} sheetId="{last + count}"'
        f"{state[tab.hidden]} rs:id={xml.quoted(tab.relation)}/>"
        for count, tab in enumerate(tabs, 1)
    )
    return [xml.insert_last(sheets, document.data, new.encode())]


def _names_and_recalculation(document: Document, changes: Changes) -> list[Edit]:
    """Both may need a place at the same offset, and names come before calcPr."""
    data, prefix = document.data, document.prefix
    names = "".join(
        f'<{prefix}definedName name="_rs_{number}" hidden="1" '
        f"comment={xml.quoted(f'runsheet {changes.prints[number]} {changes.table}')}>"
        f"{xml.text(reference(changes.tab, index))}</{prefix}definedName>"
        for number, index in changes.marks.items()
    )
    calc = f'<{prefix}calcPr fullCalcOnLoad="1"/>' if changes.recalculate else ""
    edits: list[Edit] = []
    old_names, old_calc = document.first("workbook/definedNames"), document.first("workbook/calcPr")
    if old_names and names:
        edits.append(xml.insert_last(old_names, data, names.encode()))
        names = ""
    elif names:
        names = f"<{prefix}definedNames>{names}</{prefix}definedNames>"
    if old_calc and calc:
        if not _true(old_calc.attrs.get("fullCalcOnLoad", "")):
            edits.append(xml.set_attrs(old_calc, data, fullCalcOnLoad="1"))
        calc = ""
    if names or calc:
        steps = ("sheets", "functionGroups", "externalReferences", "definedNames")
        before = document.first(*(f"workbook/{step}" for step in steps))
        assert before is not None
        edits.append(Edit(before.end, before.end, [(names + calc).encode()]))
    return edits


def _move_filter(book: Book, changes: Changes) -> list[Edit]:
    """Excel keeps the range of a tab's filter a second time, in a hidden name."""
    if changes.filter_ref is None:
        return []
    number = next(count for count, tab in enumerate(book.tabs) if tab.name == changes.tab)
    old, new = (_absolute(ref) for ref in changes.filter_ref)
    for element in book.document.all("workbook/definedNames/definedName"):
        attrs = element.attrs
        if attrs.get("name") == _FILTER and attrs.get("localSheetId") == str(number):
            tab, _, ref = element.text.rpartition("!")
            if ref == old:
                return [Edit(element.inner, element.close, [xml.text(f"{tab}!{new}").encode()])]
    return []


def _forget(document: Document, changes: Changes) -> list[Edit]:
    """Blank the comments of a table that starts over: its columns may be made again."""
    if not changes.over:
        return []
    return [
        xml.set_attrs(element, document.data, comment="")
        for element in document.all("workbook/definedNames/definedName")
        if MARK.fullmatch(element.attrs.get("name", ""))
        and (made := _MADE.fullmatch(element.attrs.get("comment", "")))
        and made[2] == changes.table
    ]


def _move_marks(document: Document, changes: Changes) -> list[Edit]:
    return [
        Edit(element.inner, element.close, [xml.text(reference(changes.tab, index)).encode()])
        for element in document.all("workbook/definedNames/definedName")
        if (match := MARK.fullmatch(element.attrs.get("name", ""))) and "localSheetId" not in element.attrs
        if (index := changes.moved.get(int(match[1]))) is not None
    ]


def reference(tab: str, index: int) -> str:
    """A whole column as a formula names it."""
    name = tab.replace("'", "''")
    return f"'{name}'!${letters(index)}:${letters(index)}"


def _absolute(ref: str) -> str:
    return re.sub(r"([A-Z]+)([0-9]+)", r"$\1$\2", ref)


def _true(text: str) -> bool:
    return text in ("1", "true")
