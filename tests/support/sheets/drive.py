"""The part of Drive v3 that finds, makes, copies and deletes spreadsheets.

A query may compare name and mimeType (=, !=, contains), trashed, and parents, joined by 'and'.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tests.support.sheets.document import Document
from tests.support.sheets.errors import ApiError
from tests.support.sheets.fields import parse

SPREADSHEET = "application/vnd.google-apps.spreadsheet"
TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
CLAUSE = re.compile(rf"\s*(\w+)\s*(=|!=|contains)\s*({TEXT}|true|false)\s*|\s*({TEXT})\s+in\s+parents\s*")


def listing(documents: Sequence[Document], account: str, query: dict[str, list[str]]) -> dict[str, Any]:
    """files.list: what the account may see and the query selects, a page at a time."""
    wanted = _conditions(_first(query, "q"))
    found = [document for document in documents if document.role(account) and _selected(document, wanted)]
    start, size = int(_first(query, "pageToken") or 0), int(_first(query, "pageSize") or 100)
    answer: dict[str, Any] = {"kind": "drive#fileList", "incompleteSearch": False}
    answer["files"] = [file(document) for document in found[start : start + size]]
    if start + size < len(found):
        answer["nextPageToken"] = str(start + size)
    mask = _first(query, "fields")
    if not mask:
        for entry in answer["files"]:
            del entry["createdTime"], entry["modifiedTime"]
    return parse(mask).cut(answer)


def file(document: Document, fields: str = "") -> dict[str, Any]:
    """files.get."""
    entry = {
        "kind": "drive#file",
        "id": document.key,
        "name": document.title,
        "mimeType": SPREADSHEET,
        "createdTime": _stamp(document.created.isoformat()),
        "modifiedTime": _stamp(document.modified.isoformat()),
    }
    return parse(fields).cut(entry)


def brief(document: Document) -> dict[str, Any]:
    """What a request without fields shows of a file."""
    return file(document, "kind,id,name,mimeType")


def missing(key: str) -> ApiError:
    """Drive's 404, which it also answers for a file that is not shared."""
    message = f"File not found: {key}."
    entry = {
        "message": message,
        "domain": "global",
        "reason": "notFound",
        "location": "fileId",
        "locationType": "parameter",
    }
    return ApiError(404, message, errors=[entry])


def _conditions(query: str) -> list[tuple[str, str, str]]:
    """(field, operator, value) of each clause; raises ApiError for what the stand-in does not know."""
    conditions, place = [], 0
    while place < len(query):
        match = CLAUSE.match(query, place)
        end = match.end() if match else 0
        if not match or not (end == len(query) or query[end:].startswith("and")):
            entry = {"message": "Invalid Value", "domain": "global", "reason": "invalid", "location": "q"}
            raise ApiError(400, "Invalid Value", errors=[entry | {"locationType": "parameter"}])
        name, operator, value, parent = match.groups()
        conditions.append(("parents", "in", _text(parent)) if parent else (name, operator, _text(value)))
        place = end + len("and")
    return conditions


def _selected(document: Document, conditions: list[tuple[str, str, str]]) -> bool:
    return all(_holds(document, *condition) for condition in conditions)


def _holds(document: Document, name: str, operator: str, value: str) -> bool:
    facts = {"name": document.title, "mimeType": SPREADSHEET, "trashed": "false", "parents": "root"}
    fact = facts.get(name, "")
    if operator == "contains":
        return value.casefold() in fact.casefold()
    return (fact == value) is (operator != "!=")


def _text(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] in "'\"" else value


def _first(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]


def _stamp(moment: str) -> str:
    """2023-07-20T08:47:58.076Z"""
    return moment[:19] + (moment[19:23] if moment[19:20] == "." else ".000") + "Z"
