"""What people do to a table of attack.py between ticks and during them: one small function each.

Each gets the table, the person at it, what stands there now, and two numbers that choose where. It
answers False when there was nothing to do it to. Left out, since promises.md says what they cost: a row
that is copied, cells that are cut and pasted, a header that is taken away, a worksheet that is cleared.
"""

from collections.abc import Callable
from typing import Any

from tests.support.attack import Sight, Table
from tests.support.people import THEIRS, Person, Place, Value
from tests.support.sheets.a1 import letters

Deed = Callable[[Table, Person, Sight, int, int], bool]
DEEDS: dict[str, Deed] = {}
"""What a person may do, by name."""


def work(table: Table, name: str, a: int, b: int) -> bool:
    """Let the person at a table do a deed; False when there is nothing to do it to."""
    if table.person is None:
        return False
    table.count += 1
    return DEEDS[name](table, table.person, Sight.of(table.person.look()), a, b)


def deed(name: str) -> Callable[[Deed], Deed]:
    def keep(function: Deed) -> Deed:
        DEEDS[name] = function
        return function

    return keep


def _easy(name: str, act: Callable[[Table, Person, int], Any]) -> None:
    """A deed that is always possible."""

    def always(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
        act(table, person, a)
        return True

    DEEDS[name] = always


_easy("filter", lambda table, person, a: person.filter())
_easy("freeze", lambda table, person, a: person.freeze(1 + a % 3))
_easy("conditional format", lambda table, person, a: person.rule())
_easy("chart", lambda table, person, a: person.chart())
_easy("protect a range", lambda table, person, a: person.protect())
_easy("grow", lambda table, person, a: person.grow(1 + a % 3))
_easy("trim", lambda table, person, a: person.trim())
_easy("rename tab", lambda table, person, a: person.rename(f"tab {table.worksheet} {table.count}"))
_easy("other tab", lambda table, person, a: person.other_tab(f"{THEIRS} {table.worksheet} {table.count}"))


@deed("copy tab")
def _copy_tab(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    """Once: copies grow with each example."""
    if any(name.startswith(THEIRS) for name in now.view.rest):
        return False
    person.copy_tab(f"{THEIRS} copy {table.worksheet} {table.count}")
    return True


@deed("lock")
def _lock(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    person.lock()
    table.locked = True
    return True


@deed("insert column")
def _insert_column(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    person.insert_column(a % (now.size[1] + 1))
    return True


@deed("own column")
def _own_column(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    """A column of theirs with a remark, or a formula, in each run's row."""
    column = now.size[1]
    person.put(0, column, f"mine {table.count}")
    for row in now.runs:
        person.put(row, column, f'="p{table.count}.{row}"' if b % 2 else f"{table.text}.{row}")
    return True


@deed("move column")
def _move_column(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    width = now.size[1]
    person.move_column(a % width, b % (width + 1))
    return True


@deed("hide column")
def _hide_column(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    person.hide_column(a % now.size[1])
    return True


@deed("rename header")
def _rename_header(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    """Of a column of ours."""
    key, column = _column(table, now, a)
    if key:
        table.titles[key] = f"title {table.count}"
        person.put(0, column, table.titles[key])
    return bool(key)


@deed("delete column")
def _delete_column(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    """Any of ours but two: the run_id has to stay, and the name tells us whose a row is."""
    key, column = _column(table, now, a)
    if key in ("", "id", "user"):
        return False
    person.delete_column(column)
    table.gone.add(key)
    return True


@deed("delete own column")
def _delete_own_column(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    columns = [column for column, title in now.titles.items() if title.startswith("mine ")]
    if columns:
        person.delete_column(columns[a % len(columns)])
    return bool(columns)


@deed("insert row")
def _insert_row(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    person.insert_row(1 + a % now.size[0])
    return True


@deed("move row")
def _move_row(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    height = now.size[0]
    if height > 1:
        person.move_row(1 + a % (height - 1), 1 + b % height)
    return height > 1


@deed("delete row")
def _delete_row(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    rows = sorted(now.runs)
    if rows:
        row = rows[a % len(rows)]
        person.delete_row(row)
        table.deleted.add(now.runs[row])
    return bool(rows)


@deed("sort")
def _sort(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    person.sort(a % now.size[1], descending=b % 2 == 1)
    return True


@deed("edit cell")
def _edit_cell(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    """A text, a number or a formula in place of a value of ours."""
    wishes: tuple[Value, ...] = (table.text, -table.count, f'="{table.text}"')
    return _change_cell(table, person, now, a, wishes[b % 3])


@deed("clear cell")
def _clear_cell(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    return _change_cell(table, person, now, a, None)


@deed("remark below")
def _remark_below(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    height, width = now.size
    person.put(height + b % 3, a % width, table.text)
    return True


@deed("total below")
def _total_below(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    """Directly under the table."""
    height, width = now.size
    name = letters(a % width)
    person.put(height, a % width, f'=COUNTA({name}2:{name}{height})&" {table.text}"')
    return True


@deed("note")
def _note(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    person.note(*_place(now, a), table.text)
    return True


@deed("colour")
def _colour(table: Table, person: Person, now: Sight, a: int, b: int) -> bool:
    person.paint(*_place(now, a), f"FF{table.count % 256:02X}{table.count // 256 % 256:02X}")
    return True


def _column(table: Table, now: Sight, a: int) -> tuple[str, int]:
    """Key and place of a column of ours."""
    keys = {title: key for key, title in table.titles.items()}
    ours = [(keys[title], column) for column, title in sorted(now.titles.items()) if title in keys]
    return ours[a % len(ours)] if ours else ("", 0)


def _place(now: Sight, a: int) -> Place:
    """A cell with something in it."""
    used = sorted(place for place, seen in now.view.cells.items() if seen.value is not None)
    return used[a % len(used)] if used else (0, 0)


def _change_cell(table: Table, person: Person, now: Sight, a: int, value: Value) -> bool:
    """Any value of ours but the name, which tells us whose the row is."""
    ours = [(place, who) for place, who in sorted(now.owned.items()) if who.key != "user"]
    if ours:
        place, who = ours[a % len(ours)]
        person.put(*place, value)
        table.edited[who.number, who.key] = value
    return bool(ours)
