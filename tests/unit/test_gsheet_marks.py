"""What a tab remembers of its columns has to fit into what Google keeps for a tab."""

from runsheet.columns import fingerprint
from runsheet.destinations.gsheet import marks
from runsheet.destinations.gsheet.destination import KEY_CHARS, GsheetDestination
from runsheet.destinations.gsheet.marks import Made, Mark

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
