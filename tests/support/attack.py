"""A world under attack: its runs, what people do to a table, and what has to be in it afterwards.

The expectation knows nothing of the product. Every value is unique, so that a cell tells whose it is:
the run, the key and the version of the run that it was written in. What a person typed begins with
"p", is negative or is a formula; a column is known by its title, which only people change.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from runsheet.model import Run
from tests.support.builders import NOW, run
from tests.support.people import Person, Place, Seen, Value, View

TITLES = {"id": "run_id", "user": "name", "text": "text", "loss": "loss", "lr": "lr", "extra": "extra"}
"""The title of each key's column, until somebody renames it."""

NUMBERS = {1: "lr", 2: "extra", 3: "loss", 4: "text"}
"""Keys by the last digit of their values."""

KINDS = ("lost", "doubled", "edits lost", "shifted")
"""What must not happen: a run or value without its cell; one with two; something of a person's that
changed; a value in another's row or column, or in another order."""

Item = tuple[str, str, str]
"""Something of a person's: what it is, the run in whose row it stands, the title above it."""


@dataclass
class Trial:
    """A run of this world. Each change of its values is a new version."""

    number: int
    version: int = 1
    running: bool = True

    def value(self, key: str) -> Value:
        """The cell of a key; None where the run has none."""
        digit = next((digit for digit, name in NUMBERS.items() if name == key), 0)
        whole = self.number * 1_000_000 + self.version * 10 + digit
        if key == "extra" and self.number % 3:
            return None  # Its column comes when people have columns of their own already.
        return {"id": f"id{self.number}", "user": f"user{self.number}", "text": f"=1+{whole}"}.get(key, whole)

    def run(self) -> Run:
        config = {"lr": self.value("lr"), "text": self.value("text")}
        if extra := self.value("extra"):
            config["extra"] = extra
        return run(
            f"id{self.number}",
            state="running" if self.running else "finished",
            heartbeat=NOW - timedelta(minutes=1_000 - self.version),
            user=f"user{self.number}",
            config=config,
            summary={"loss": self.value("loss")},
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a value is. `version` is 0 where the value is the same in all of them."""

    number: int
    key: str
    version: int


def owner(seen: Seen) -> Owner | None:
    """The run, key and version that a cell's value belongs to; None for a person's or none."""
    value = seen.value
    if seen.formula or value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = re.fullmatch(r"(id|user|=1\+)(\d+)", value)
        if not found:
            return None
        if found[1] != "=1+":
            return Owner(int(found[2]), found[1], 0)
        value = float(found[2])
    whole = int(value)
    if whole < 1_000_000 or whole % 10 not in NUMBERS:
        return None
    return Owner(whole // 1_000_000, NUMBERS[whole % 10], whole % 1_000_000 // 10)


def typed(seen: Seen) -> str:
    """What a person typed, "" for everything else. References in formulas follow what moves."""
    if seen.formula:
        return re.sub(r"\$?[A-Z]+\$?\d+|#REF!", "#", str(seen.value))
    if isinstance(seen.value, str):
        return seen.value if seen.value.startswith("p") else ""
    return str(int(seen.value)) if seen.value is not None and seen.value < 0 else ""


@dataclass
class Tally:
    """What was done to a world, and what was found: counted over all examples."""

    faults: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)
    during: Counter[str] = field(default_factory=Counter)
    ticks: int = 0
    runs: int = 0
    examples: int = 0
    found: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Sight:
    """What a view shows, row by row and column by column. `mixed` are rows with values of two runs."""

    view: View
    titles: Mapping[int, str]
    runs: Mapping[int, int]
    owned: Mapping[Place, Owner]
    mixed: frozenset[int]

    @classmethod
    def of(cls, view: View) -> "Sight":
        owned = {place: who for place, seen in view.cells.items() if (who := owner(seen))}
        numbers: dict[int, set[int]] = defaultdict(set)
        for (row, _), who in owned.items():
            numbers[row].add(who.number)
        header = {c: str(seen.value) for (r, c), seen in view.cells.items() if r == 0 and seen.value}
        mixed = frozenset(row for row, found in numbers.items() if len(found) > 1)
        return cls(view, header, {row: min(found) for row, found in numbers.items()}, owned, mixed)

    @property
    def size(self) -> Place:
        """One past the last row and column with a value."""
        used = [place for place, seen in self.view.cells.items() if seen.value is not None]
        return max((row for row, _ in used), default=0) + 1, max((c for _, c in used), default=0) + 1

    def items(self, what: Callable[[Seen], str]) -> Counter[Item]:
        """Things of people's below or in the header, each with its run and its title."""
        found: Counter[Item] = Counter()
        for (row, column), seen in self.view.cells.items():
            if text := what(seen):
                found[text, str(self.runs.get(row, "")), self.titles.get(column, "")] += 1
        return found

    @property
    def hidden(self) -> Counter[str]:
        return Counter(self.titles.get(column, "") for column in self.view.hidden)

    def header(self) -> list[str]:
        return [title for _, title in sorted(self.titles.items())]

    def order(self) -> list[int]:
        return [number for _, number in sorted(self.runs.items())]


@dataclass(frozen=True)
class Expected:
    """What a table has to hold. `offered`: the versions of each run that a tick was given; `must`:
    runs that have to be there now; `newest`: the version that each row must show, where rows
    follow their runs."""

    offered: Mapping[int, Collection[int]]
    must: Collection[int] = ()
    newest: Mapping[int, int] = field(default_factory=dict)
    live: bool = False


class Table:
    """One worksheet: what people did to it, and what has to be in it."""

    def __init__(self, worksheet: str) -> None:
        self.worksheet = worksheet
        self.person: Person | None = None
        self.titles = dict(TITLES)
        self.deleted: set[int] = set()
        self.gone: set[str] = set()
        self.edited: dict[tuple[int, str], Value] = {}
        self.shown: dict[int, int] = {}
        self.locked = False
        self.count = 0
        self._before = Sight.of(View())

    def remember(self) -> None:
        """A person has just worked: what stands there now is as they want it."""
        assert self.person
        self._before = Sight.of(self.person.look())

    def check(self, expected: Expected) -> list[tuple[str, str]]:
        """What is wrong: pairs of a kind and a sentence."""
        if self.person is None:
            return [("lost", f"{self.worksheet} was not made")] if expected.must else []
        now = Sight.of(self.person.look())
        wrong = [*self._values(now), *self._rows(now, expected), *self._versions(now, expected)]
        wrong += [*self._edits(now), *self._order(now)]
        self._before = now
        return [(kind, f"{self.worksheet}: {what}") for kind, what in wrong]

    def _values(self, now: Sight) -> Iterable[tuple[str, str]]:
        """Each value stands once, in the row of its run and the column of its key."""
        times = Counter((who.number, who.key) for who in now.owned.values())
        for (number, key), count in times.items():
            if count > 1:
                yield "doubled", f"{key} of run {number}"
            if key in self.gone:
                yield "shifted", f"{key} of run {number}: its column was deleted"
            if (number, key) in self.edited:
                yield "edits lost", f"{key} of run {number} was edited"
        for row in now.mixed:
            yield "shifted", f"row {row} holds values of several runs"
        for (row, column), who in now.owned.items():
            if now.titles.get(column) != self.titles[who.key] or row == 0:
                yield "shifted", f"{who.key} of run {who.number} under {now.titles.get(column)}"
        for number in set(now.runs.values()):
            wanted = {key for key in TITLES if key not in self.gone and (number, key) not in self.edited}
            wanted -= {key for key in TITLES if Trial(number).value(key) is None}
            for key in wanted:
                if not times[number, key]:
                    yield "lost", f"{key} of run {number}"

    def _rows(self, now: Sight, expected: Expected) -> Iterable[tuple[str, str]]:
        """Each run that has to have a row has one, each that had one has it still."""
        there = Counter(now.runs.values())
        for number, count in there.items():
            if count > 1:
                yield "doubled", f"run {number} has {count} rows"
            if number in self.deleted:
                yield "edits lost", f"the row of run {number} was deleted and is back"
            if number not in expected.offered:
                yield "doubled", f"run {number} has a row and does not qualify"
        for number in {*self.shown, *expected.must} - self.deleted - set(there):
            yield "lost", f"the row of run {number}"

    def _versions(self, now: Sight, expected: Expected) -> Iterable[tuple[str, str]]:
        """A row is one version of its run: the one it was added in, or, where rows follow, the newest."""
        for who in now.owned.values():
            if who.version and who.version not in expected.offered.get(who.number, ()):
                yield "shifted", f"{who} was never offered"
        for who in now.owned.values():
            if not who.version:
                continue
            if not expected.live:
                first = self.shown.setdefault(who.number, who.version)
                if who.version != first:
                    yield "shifted", f"{who} in a row of version {first}"
            elif who.version < expected.newest.get(who.number, 0) and (who.number, "id") not in self.edited:
                yield "lost", f"{who}: the newest is {expected.newest[who.number]}"
        for number in now.runs.values():
            self.shown.setdefault(number, 0)

    def _edits(self, now: Sight) -> Iterable[tuple[str, str]]:
        """What people made is there, where they made it."""
        before = self._before
        pairs: list[tuple[str, Counter[Any], Counter[Any]]] = [
            ("typed", before.items(typed), now.items(typed)),
            ("notes", before.items(lambda seen: seen.note), now.items(lambda seen: seen.note)),
            ("hidden columns", before.hidden, now.hidden),
        ]
        for what, old, new in pairs:
            if old != new:
                yield "edits lost", f"{what}: {dict(old - new)} became {dict(new - old)}"
        # Rows that come may look like the row above them.
        colours = before.items(lambda seen: seen.colour) - now.items(lambda seen: seen.colour)
        if colours:
            yield "edits lost", f"colours: {dict(colours)}"
        for name, part in before.view.rest.items():
            if now.view.rest.get(name) != part:
                yield "edits lost", f"{name}: {part} became {now.view.rest.get(name)}"
        places = {now.titles[column]: column for column in now.titles}
        rows = {number: row for row, number in now.runs.items()}
        for (number, key), value in self.edited.items():
            if number in rows and key not in self.gone:
                seen = now.view.cells.get((rows[number], places.get(self.titles[key], -1)), Seen())
                if seen.value != value:
                    yield "edits lost", f"{key} of run {number}: {value!r} became {seen.value!r}"

    def _order(self, now: Sight) -> Iterable[tuple[str, str]]:
        """Rows and columns stand in the order that people gave them; new ones may come between."""
        for what, old, new in (
            ("columns", self._before.header(), now.header()),
            ("rows", self._before.order(), now.order()),
        ):
            rest = iter(new)
            if not all(item in rest for item in old):
                yield "shifted", f"{what}: {old} became {new}"

    def unlock(self) -> None:
        if self.locked and self.person:
            self.person.unlock()
            self.locked = False
            self.remember()

    @property
    def text(self) -> str:
        """A text that nobody typed before."""
        return f"p{self.count}"
