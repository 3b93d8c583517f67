"""The stand-in answers as Google did: each recorded exchange is replayed against it, in order.

Ids that the service chose are mapped as they first appear. Left out of the comparison, because the stand-in
does not model them: times, the look of the spreadsheet as a whole, and who may edit a protected range.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.sheets import SheetsServer

RECORDINGS = Path(__file__).parents[3] / "shared" / "recorded-sheets"
COMPARED = 872
"""At least so many of the 884 recorded exchanges must be compared and agree."""

UNMODELLED = {"createdTime", "modifiedTime", "defaultFormat", "spreadsheetTheme", "editors"}
IDS = {"spreadsheetId", "id", "sheetId", "namedRangeId", "protectedRangeId"}
LEFT_OUT = (
    ("import of a CSV file", re.compile(r"PUT .*/upload/drive/")),
    ("data validation", re.compile(r"POST .*setDataValidation", re.DOTALL)),
    # A copy just made still answered with the title of its original: a moment's lag of the service.
    ("title of a fresh copy", re.compile(r"GET .*/1PdhaWXY17FcCXAg99X-\w+.*includeGridData")),
)

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")


@dataclass
class Exchange:
    """One request and the real answer to it."""

    method: str
    uri: str
    body: str
    status: int
    answer: str

    def __str__(self) -> str:
        return f"{self.method} {self.uri} {self.body}"

    @property
    def spreadsheet(self) -> str:
        """The id in the path, if there is one."""
        match = re.search(r"/(?:spreadsheets|files)/([\w-]+)", self.uri)
        return match[1] if match else ""


@dataclass
class Replay:
    """What one recording's ids are called here, and how its exchanges went."""

    server: SheetsServer
    session: requests.Session
    ids: dict[str, str] = field(default_factory=dict)
    compared: int = 0
    skipped: list[str] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)

    def play(self, exchange: Exchange) -> None:
        """Send the request, learn the ids in its answer, compare."""
        reason = next((reason for reason, form in LEFT_OUT if form.match(str(exchange))), None)
        if reason is None and exchange.spreadsheet in self.foreign and exchange.method != "DELETE":
            reason = "state that an import left"
        if reason:
            self.skipped.append(reason)
            if "CSV" in reason:
                self.foreign.add(exchange.spreadsheet)
            return
        parts = urlsplit(self.translated(exchange.uri))
        url = f"{self.server.url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        body = self.translated(exchange.body).encode() or None
        got = self.session.request(exchange.method, url, data=body)
        ours, theirs = _json(got.text), _json(exchange.answer)
        self.learn(theirs, ours)
        expected = _json(self.translated(exchange.answer))
        assert (got.status_code, comparable(ours)) == (exchange.status, comparable(expected)), str(exchange)
        self.compared += 1

    def translated(self, text: str) -> str:
        """The text with recorded ids replaced by ours."""
        for theirs, ours in self.ids.items():
            text = re.sub(rf"(?<![\w-]){re.escape(theirs)}(?![\w-])", ours, text)
        return text

    def learn(self, theirs: Any, ours: Any) -> None:
        """Map the ids that stand at the same place of both answers. A zero is the first tab, everywhere."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for name in theirs.keys() & ours.keys():
                if name in IDS and theirs[name]:
                    self.ids.setdefault(str(theirs[name]), str(ours[name]))
                else:
                    self.learn(theirs[name], ours[name])
        elif isinstance(theirs, list) and isinstance(ours, list):
            for mine, other in zip(theirs, ours, strict=False):
                self.learn(mine, other)


def comparable(value: Any) -> Any:
    """The part of an answer that the stand-in models."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items() if name not in UNMODELLED}
    return [comparable(item) for item in value] if isinstance(value, list) else value


def exchanges(path: Path) -> Iterator[Exchange]:
    for item in json.loads(path.read_text())["interactions"]:
        request, response = item["request"], item["response"]
        yield Exchange(
            request["method"],
            request["uri"],
            request["body"] or "",
            response["status"]["code"],
            response["body"]["string"],
        )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def replayed(path: Path) -> int:
    """Replay a recording and compare its answers; how many exchanges were compared."""
    with SheetsServer() as server, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {server.token()}"
        replay = Replay(server, session)
        for exchange in exchanges(path):
            replay.play(exchange)
        return replay.compared


ALL = sorted(RECORDINGS.glob("*.json"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_answers_are_those_recorded(path: Path) -> None:
    """One by one, so that a failure names its recording."""
    assert replayed(path) > 0


def test_enough_was_compared() -> None:
    """The number must not sink when somebody adds to the list of what is left out."""
    assert sum(map(replayed, ALL)) >= COMPARED
