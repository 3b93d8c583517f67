"""Names of any kind come back from the book-keeping, and no note is longer than a cell."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet import packing
from runsheet.model import Scope

NORMAL = settings(max_examples=200, derandomize=True, deadline=None)
NAMES = st.text(st.characters(codec=None), max_size=6) | st.sampled_from(["", "-", "%2D", "a b", "a:b", "\t"])


@NORMAL
@given(st.lists(NAMES, max_size=5))
def test_words_come_back(names: list[str]) -> None:
    """Any texts are told apart among blanks and colons, in order."""
    text = " ".join(map(packing.word, names))
    assert [packing.unword(item) for item in text.split()] == names
    assert ":" not in text


@NORMAL
@given(NAMES, NAMES, NAMES)
def test_scopes_come_back(source: str, host: str, project: str) -> None:
    """A scope as text is three words, whatever is in it."""
    scope = Scope(source, host, project)
    assert packing.parse_scope(packing.scope_text(scope)) == scope


@pytest.mark.parametrize("text", ["", "a", "a b", "a b c d"])
def test_no_scope(text: str) -> None:
    assert packing.parse_scope(text) is None


@NORMAL
@given(st.lists(st.text(max_size=12)), st.integers(1, 30))
def test_parts(items: list[str], room: int) -> None:
    """All items come, in order; a part is as long as there is room, unless one item is longer by itself."""
    parts = list(packing.parts(items, room, len))
    assert [item for part in parts for item in part] == items
    sizes = [sum(len(item) + 1 for item in part) for part in parts]
    assert all(size <= room or len(part) == 1 for part, size in zip(parts, sizes, strict=True))
    follows = zip(sizes, parts[1:], strict=False)
    assert all(size + len(part[0]) + 1 > room for size, part in follows)


def test_a_part_of_json_fits() -> None:
    """Room is measured in the characters of the JSON that is written, separators included."""
    parts = list(packing.parts([["실험", number] for number in range(999)], 300))
    assert len(parts) > 10
    assert all(len(packing.json_text(part)) <= 301 for part in parts)
    assert json.loads(packing.json_text(parts[0]))[0] == ["실험", 0]


@pytest.mark.parametrize("text", ["a", '"', "\\", "\n", "실", "😀", "\ud83d", 'C:\\a "b"'], ids=ascii)
def test_room_is_that_of_a_cell_that_quotes_once_more(text: str) -> None:
    """Destinations put the JSON into JSON, and Google counts characters beyond the first 65,536 twice."""
    items = [[text * 40, number] for number in range(99)]
    parts = list(packing.parts(items, 1_000))
    assert [item for part in parts for item in part] == items
    quoted = [packing.json_text(packing.json_text(part)) for part in parts]
    assert max(len(part.encode("utf-16-le", "surrogatepass")) // 2 for part in quoted) <= 1_004


def test_many_words_take_few_notes() -> None:
    notes = list(packing.packed("ids", "here", (f"{number:08x}" for number in range(10_000))))
    assert [note[:2] for note in notes] == [("ids", "here")] * 4
    assert all(len(text) <= packing.TEXT_CHARS for _, _, text in notes)
    assert sum(len(text.split()) for _, _, text in notes) == 10_000


@pytest.mark.parametrize("note", [(), ("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d")], ids=len)
def test_a_note_is_three_texts(note: packing.Note) -> None:
    """Whatever a person made of the tab: what lacks is blank, what is too much is left out."""
    assert packing.triple(note) == (*note, "", "", "")[:3]
