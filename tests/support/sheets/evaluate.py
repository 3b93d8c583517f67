"""What a formula comes to, for the few that tests use: literals, cells, ranges, operators, simple functions.

Anything else shows an error value as Sheets would for a name it does not know. One Evaluator answers one
request: it keeps what it has worked out, and notices circles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support.sheets import a1
from tests.support.sheets.formats import general, read
from tests.support.sheets.grid import Formula, Grid
from tests.support.sheets.state import State

TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"]|\"\")*\")"
    r"|(?P<ref>(?:'(?:[^']|'')+'!|[A-Za-z_]\w*!)?\$?[A-Za-z]{1,3}\$?\d+(?::\$?[A-Za-z]{1,3}\$?\d*)?(?![\w(])"
    r"|(?:'(?:[^']|'')+'!|[A-Za-z_]\w*!)?(?:\$?[A-Za-z]{1,3}:\$?[A-Za-z]{1,3}|\$?\d+:\$?\d+)(?![\w(]))"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][\w.]*)"
    r"|(?P<error>#REF!|#N/A)"
    r"|(?P<op><>|<=|>=|[-+*/^&=<>(),%]))"
)
BINARY = {"=": 1, "<>": 1, "<": 1, ">": 1, "<=": 1, ">=": 1, "&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "^": 6}
SHOWN = {
    "NAME": "#NAME?",
    "REF": "#REF!",
    "DIVIDE_BY_ZERO": "#DIV/0!",
    "VALUE": "#VALUE!",
    "ERROR": "#ERROR!",
}


@dataclass(frozen=True)
class Failure:
    """An error value; `kind` is Google's ErrorType."""

    kind: str

    def __str__(self) -> str:
        return SHOWN[self.kind]


Result = float | bool | str | None | Failure


class Problem(Exception):
    """Raised inside of one formula, becomes its Failure."""


class Evaluator:
    """Effective values of the cells of one state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.known: dict[tuple[int, int, int], Result] = {}

    def value(self, grid: Grid, row: int, column: int) -> Result:
        """The effective value of a cell."""
        entered = grid.value(row, column)
        return self.formula(grid, row, column, entered) if isinstance(entered, Formula) else entered

    def formula(self, grid: Grid, row: int, column: int, formula: Formula) -> Result:
        place = grid.id, row, column
        if place not in self.known:
            self.known[place] = Failure("REF")  # what a circle finds
            try:
                self.known[place] = Reader(self, grid, formula[1:]).result()
            except Problem as problem:
                self.known[place] = Failure(str(problem))
        return self.known[place]


class Reader:
    """Reads one formula and works it out on the way."""

    def __init__(self, evaluator: Evaluator, home: Grid, text: str) -> None:
        self.evaluator, self.home = evaluator, home
        self.tokens = list(_tokens(text))
        self.place = 0

    def result(self) -> Result:
        value = self._single(self._expression(0))
        if self._peek() != ("", ""):
            raise Problem("ERROR")
        return 0.0 if value is None else value

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else ("", "")

    def _take(self, text: str | None = None) -> tuple[str, str]:
        token = self._peek()
        if text is not None and token[1] != text:
            raise Problem("ERROR")
        self.place += 1
        return token

    def _expression(self, power: int) -> list[Result]:
        left = self._operand()
        while True:
            kind, text = self._peek()
            if (kind, text) == ("op", "%"):
                self._take()
                left = [_number(self._single(left)) / 100]
            elif kind == "op" and BINARY.get(text, -1) > power:
                self._take()
                right = self._expression(BINARY[text])
                left = [_binary(text, self._single(left), self._single(right))]
            else:
                return left

    def _operand(self) -> list[Result]:
        kind, text = self._take()
        match kind:
            case "number":
                return [float(text)]
            case "text":
                return [text[1:-1].replace('""', '"')]
            case "ref":
                return list(self._cells(text))
            case "error":
                raise Problem("REF")
            case "name":
                return [self._call(text.upper())]
        if text in "+-" and text:
            value = _number(self._single(self._expression(6)))  # -2^2 is 4 in Sheets
            return [-value if text == "-" else value]
        if text == "(":
            inner = self._expression(0)
            self._take(")")
            return inner
        raise Problem("ERROR")

    def _call(self, name: str) -> Result:
        if self._peek()[1] != "(":
            if name in ("TRUE", "FALSE"):
                return name == "TRUE"
            raise Problem("NAME")
        self._take("(")
        arguments: list[list[Result]] = []
        while self._peek()[1] != ")":
            arguments.append(self._expression(0))
            if self._peek()[1] == ",":
                self._take()
        self._take(")")
        if name not in FUNCTIONS:
            raise Problem("NAME")
        return FUNCTIONS[name](arguments)

    def _cells(self, text: str) -> Iterator[Result]:
        title, cells = a1.split(text.replace("$", ""))
        grid = self.home if title is None else self.evaluator.state.titled(title)
        bounds = a1.parse(cells)
        if grid is None or bounds is None:
            raise Problem("REF")
        area = bounds.within(grid.height, grid.width)
        # Rows after the last written one are empty: a column of 100,000 rows costs what it holds.
        last = area.bottom if bounds.single else min(area.bottom, len(grid.rows))
        for row in range(area.top, last):
            for column in area.columns:
                yield self.evaluator.value(grid, row, column)

    @staticmethod
    def _single(values: list[Result]) -> Result:
        if len(values) != 1:
            raise Problem("VALUE")
        if isinstance(values[0], Failure):
            raise Problem(values[0].kind)
        return values[0]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    text = text.rstrip()
    while place < len(text):
        match = TOKEN.match(text, place)
        if not match or not match.lastgroup:
            raise Problem("ERROR")
        yield match.lastgroup, match[match.lastgroup]
        place = match.end()


def _number(value: Result) -> float:
    if value is None:
        return 0.0
    if isinstance(value, str):
        found = read(value)[0]
        if isinstance(found, float):
            return found
        raise Problem("VALUE")
    return float(value)  # type: ignore[arg-type]


def _text(value: Result) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return general(value) if isinstance(value, float) else str(value or "")


def _binary(operator: str, left: Result, right: Result) -> Result:
    if operator == "&":
        return _text(left) + _text(right)
    if operator in ("=", "<>"):
        return (_key(left) == _key(right)) is (operator == "=")
    if operator[0] in "<>":
        low, high = (left, right) if operator[0] == "<" else (right, left)
        return _key(low) < _key(high) or (operator[-1] == "=" and _key(left) == _key(right))
    first, second = _number(left), _number(right)
    if operator == "/" and not second:
        raise Problem("DIVIDE_BY_ZERO")
    work: dict[str, Callable[[], float]] = {
        "+": lambda: first + second,
        "-": lambda: first - second,
        "*": lambda: first * second,
        "/": lambda: first / second,
        "^": lambda: first**second,
    }
    return work[operator]()


def _key(value: Result) -> tuple[int, float | str]:
    """Sheets' order: numbers, then text without regard to case, then FALSE and TRUE."""
    if isinstance(value, bool):
        return 2, float(value)
    return (1, value.casefold()) if isinstance(value, str) else (0, _number(value))


def _numbers(arguments: list[list[Result]]) -> list[float]:
    values = [value for argument in arguments for value in argument]
    for value in values:
        if isinstance(value, Failure):
            raise Problem(value.kind)
    return [value for value in values if isinstance(value, float) and not isinstance(value, bool)]


def _average(arguments: list[list[Result]]) -> float:
    numbers = _numbers(arguments)
    if not numbers:
        raise Problem("DIVIDE_BY_ZERO")
    return sum(numbers) / len(numbers)


def _filled(arguments: list[list[Result]]) -> float:
    return float(sum(value is not None for argument in arguments for value in argument))


FUNCTIONS: dict[str, Callable[[list[list[Result]]], Result]] = {
    "SUM": lambda arguments: float(sum(_numbers(arguments))),
    "AVERAGE": _average,
    "MIN": lambda arguments: min(_numbers(arguments), default=0.0),
    "MAX": lambda arguments: max(_numbers(arguments), default=0.0),
    "COUNT": lambda arguments: float(len(_numbers(arguments))),
    "COUNTA": _filled,
}
