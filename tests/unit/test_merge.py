"""P2: a person's value stays; where nobody was, the run's value goes in.

Mutants: the run wins; `kept` although both say the same; blank cells of people filled again.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsheet.merge import Verdict, merge
from runsheet.model import Foreign, Stored
from runsheet.stored import LONG, Kept, digested, same

LONG_TEXT = "y" * (LONG + 1)


def run(value: Stored) -> Verdict:
    """Nobody was there: the run's value."""
    return Verdict(value, ours=True)


def person(value: Stored) -> Verdict:
    """A person's value stays although the run says otherwise."""
    return Verdict(value, kept=True)


CASES: dict[str, tuple[Kept, Stored, Stored, Verdict]] = {
    # base, sheet, run
    "all the same": (1, 1, 1, run(1)),
    "only the run moved": (1, 1, 2, run(2)),
    "only the person moved": (1, 5, 1, person(5)),
    "both moved": (1, 5, 2, person(5)),
    "both moved to the same": (1, 2, 2, Verdict(2)),
    "first value of the run": (None, None, 2, run(2)),
    "first value where a person wrote": (None, "todo", 2, person("todo")),
    "emptied by a person": (1, None, 2, person(None)),
    "emptied by a person, told as no text": (1, "", 2, person("")),
    "no text is blank": (None, "", 2, run(2)),
    "the run has no value any more": (1, 1, None, run(None)),
    "emptied on both sides": (1, None, None, Verdict(None)),
    "rounded by an office program": (0.1 + 0.2, 0.3, 7, run(7)),
    "a text of digits is an edit": (1, "1", 2, person("1")),
    "a number for a text of digits is an edit": ("1", 1, "2", person(1)),
    "TRUE for 1 is an edit": (1, True, 2, person(True)),
    "0 for FALSE is an edit": (False, 0, True, person(0)),
    "long text": (digested(LONG_TEXT), LONG_TEXT, "z", run("z")),
    "long text that was edited": (digested(LONG_TEXT), LONG_TEXT + "!", "z", person(LONG_TEXT + "!")),
    "long text that was cut": (digested(LONG_TEXT), "y", LONG_TEXT, person("y")),
    "a formula is a person's": (1, Foreign("=1"), 1, person(Foreign("=1"))),
    "a formula put back earlier": (Foreign("=1"), Foreign("=1"), 2, run(2)),
    "a text that looks like the formula": ("=1", Foreign("=1"), "=1", person(Foreign("=1"))),
}


@pytest.mark.parametrize(("base", "sheet", "run", "verdict"), CASES.values(), ids=CASES)
def test_merge(base: Kept, sheet: Stored, run: Stored, verdict: Verdict) -> None:
    """A cell that holds what we last wrote is the run's; any other is a person's."""
    assert merge(base, sheet, run) == verdict


SCALARS: st.SearchStrategy[Stored] = st.sampled_from(
    [None, "", 0, 1, 1.0, 2.5, True, False, "0", "1", "TRUE", "a", LONG_TEXT, Foreign("=1"), Foreign("a")]
)
BASES: st.SearchStrategy[Kept] = SCALARS | st.just(digested(LONG_TEXT))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(BASES, SCALARS, SCALARS)
def test_nothing_of_a_person_is_replaced(base: Kept, sheet: Stored, value: Stored) -> None:
    """Whatever the three are: an edit stays, what is ours becomes the run's, and `kept` counts only what
    differs."""
    verdict = merge(base, sheet, value)
    if same(base, sheet):
        assert verdict == Verdict(value, ours=True)
    else:
        assert (verdict.value, verdict.ours) == (sheet, False)
        assert verdict.kept is not same(sheet, value)
