"""Try on the real service the rules that writing rests on. Leaves nothing behind."""

import secrets
from collections.abc import Iterator

from runsheet.destinations.gsheet import images, marks
from runsheet.destinations.gsheet.batch import Json
from runsheet.destinations.gsheet.client import Rejected
from runsheet.destinations.gsheet.document import Spreadsheet, quoted
from runsheet.errors import ServiceError


def first(sheets: Spreadsheet) -> str:
    """At first contact: the rule on which it rests that no row is doubled, which is returned. One request.
    Raises ServiceError when it does not hold."""
    return _rule(sheets, *_rules()[0])


def every(sheets: Spreadsheet) -> Iterator[str]:
    """Yield each rule that holds. Raises ServiceError for one that does not."""
    for rule in _rules():
        yield _rule(sheets, *rule)
    yield _answer(sheets)


def _rules() -> list[tuple[str, bool, list[Json]]]:
    return marks.probes(secrets.token_hex(8), secrets.token_hex(8))


def _rule(sheets: Spreadsheet, rule: str, accepted: bool, requests: list[Json]) -> str:
    try:
        sheets.update(requests)
    except Rejected as refusal:
        if accepted:
            raise ServiceError(_broken(rule, str(refusal))) from refusal
    else:
        if not accepted:
            sheets.update(marks.unprobe())
            raise ServiceError(_broken(rule, "a batch that breaks it was accepted"))
    return rule


def _answer(sheets: Spreadsheet) -> str:
    """Make sure that a batch tells what it copied, as live rows need it."""
    rule = "the answer to a batch shows what it copied"
    title = f"_probe {secrets.token_hex(8)}"
    try:
        found = sheets.update(images.probe(title), (quoted(title),))
    except Rejected as refusal:
        raise ServiceError(f"LIVE_ROWS cannot work here ({rule}: {refusal})") from refusal
    sheets.update(marks.unprobe())
    if images.grid(found.get(marks.PROBE_TAB, {})) != images.PROBED:
        raise ServiceError(f"LIVE_ROWS cannot work here ({rule}: it shows something else)")
    return rule


def _broken(rule: str, what: str) -> str:
    return (
        f"Google Sheets does not behave as it must ({rule}: {what}). Rows could be doubled, so nothing "
        "was written to the worksheet"
    )
