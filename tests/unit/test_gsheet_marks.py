"""What a tab remembers of its columns has to fit into what Google keeps for a tab."""

from runsheet.columns import fingerprint
from runsheet.destinations.gsheet import marks
from runsheet.destinations.gsheet.destination import KEY_CHARS, GsheetDestination
from runsheet.destinations.gsheet.marks import Elsewhere, Made, Mark, Watermarks

WIDE = [Mark(n, marks.KEY_ADOPTED, f"config.{n:05d}.{'x' * 28}", n) for n in range(378)]


def size(mark: Made, columns: list[Mark]) -> int:
    pairs = [(marks.KEY_MADE, mark.value), *((column.key, column.value) for column in columns)]
    return sum(len(key) + len(value) for key, value in pairs)


def test_a_fingerprint_has_its_length() -> None:
    assert len(fingerprint("config.lr")) == len(fingerprint("모델")) == marks.PRINT_CHARS
    assert fingerprint("config.lr") != fingerprint("config.Lr")


def test_prints_are_added_once_in_order() -> None:
    old = Made(5, ("aaaaaa", "bbbbbb"))
    made = marks.remember(old, ["bbbbbb", "cccccc"], [], 9)
    assert made == Made(5, ("aaaaaa", "bbbbbb", "cccccc"))
    assert marks.remember(None, ["cccccc"], [], 9) == Made(9, ("cccccc",))


def test_what_is_read_is_what_was_written() -> None:
    made = Made(5, tuple(map(fingerprint, ["run_id", "config.lr", "summary.loss"])))
    entry = {"metadataId": 5, "metadataKey": marks.KEY_MADE, "metadataValue": made.value}
    assert marks.made_of({"developerMetadata": [entry]}) == made
    assert marks.made_of({}) is None


def test_columns_that_are_there_always_fit() -> None:
    """As many columns as the limit on keys lets in, each with its fingerprint."""
    assert GsheetDestination.limits.key_chars == KEY_CHARS
    assert sum(len(mark.value) + 25 for mark in WIDE) in range(KEY_CHARS - 100, KEY_CHARS)
    prints = [fingerprint(mark.value) for mark in WIDE]
    made = marks.remember(None, prints, WIDE, 9)
    assert made.prints == tuple(prints)
    assert size(made, WIDE) <= marks.TAB_CHARS - marks.SPARE_CHARS


def test_the_oldest_are_forgotten() -> None:
    """Of thousands of columns that came and went the last ones are remembered."""
    gone = [fingerprint(f"gone {n}") for n in range(5_000)]
    made = marks.remember(Made(9, tuple(gone)), [fingerprint(mark.value) for mark in WIDE], WIDE, 9)
    assert size(made, WIDE) <= marks.TAB_CHARS - marks.SPARE_CHARS
    assert made.prints[-1] == fingerprint(WIDE[-1].value)
    assert 600 < len(made.prints) - len(WIDE) < len(gone)
    assert made.prints[0] in gone


def test_watermarks_and_prints_share_the_room() -> None:
    """Beside as many columns as there may be a few thousand characters fit; old fingerprints give way."""
    gone = Made(9, tuple(fingerprint(f"gone {n}") for n in range(5_000)))
    texts = Watermarks(4, tuple(f"{number:02d} {'x' * 290}" for number in range(12)))
    assert marks.fits(texts, WIDE)
    prints = [fingerprint(mark.value) for mark in WIDE]
    made = marks.remember(gone, prints, WIDE, 9, marks.chars(texts))
    assert set(prints) <= set(made.prints)
    taken = size(made, WIDE) + len(marks.KEY_WATERMARKS) + len(texts.value)
    assert marks.TAB_CHARS - marks.SPARE_CHARS - 6 < taken <= marks.TAB_CHARS - marks.SPARE_CHARS


def test_watermarks_for_which_there_is_no_room() -> None:
    columns, short = WIDE[:10], Watermarks(4, ("x" * 250,) * 112)
    room = marks.TAB_CHARS - marks.SPARE_CHARS - len(marks.KEY_MADE) - 10 * marks.PRINT_CHARS
    room -= sum(len(mark.key) + len(mark.value) for mark in columns) + marks.chars(short)
    assert marks.fits(Watermarks(4, (*short.texts[1:], "x" * (250 + room))), columns)
    assert not marks.fits(Watermarks(4, (*short.texts[1:], "x" * (251 + room))), columns)


def test_marks_of_a_tab_are_read() -> None:
    watermarks, elsewhere = Watermarks(4, ("모델", '"')), Elsewhere(6, 26_000, 1_795_000_000)
    entries = [
        {"metadataId": 4, "metadataKey": marks.KEY_WATERMARKS, "metadataValue": watermarks.value},
        {"metadataId": 6, "metadataKey": marks.KEY_ELSEWHERE, "metadataValue": elsewhere.value},
    ]
    sheet = {"developerMetadata": entries}
    assert marks.watermarks_of(sheet) == watermarks
    assert marks.elsewhere_of(sheet) == elsewhere
    assert (marks.watermarks_of({}), marks.elsewhere_of({})) == (None, None)
