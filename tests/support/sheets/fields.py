"""Field masks: 'sheets(properties,data.rowData)' for partial answers, 'a/b,c' for updates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Self

from tests.support.sheets.errors import bad
from tests.support.sheets.schema import MESSAGES

TOKEN = re.compile(r"[\w*]+|[(),./]")


class Mask:
    """The part of an answer that is wanted, as a tree; one without branches wants all below it."""

    def __init__(self, tree: dict[str, Self] | None = None) -> None:
        self.tree: dict[str, Self] = tree or {}

    @property
    def everything(self) -> bool:
        return not self.tree or "*" in self.tree

    def sub(self, name: str) -> Mask | None:
        """The mask below a field; None when the field is not wanted."""
        return EVERYTHING if self.everything else self.tree.get(name)

    def wants(self, *names: str) -> bool:
        """Whether the path is wanted, or a part of what is below it."""
        mask: Mask | None = self
        for name in names:
            mask = mask.sub(name) if mask else None
        return mask is not None

    def cut(self, value: dict[str, Any]) -> dict[str, Any]:
        """The wanted part of a JSON object; objects that lose all keys stay as {}."""
        found: dict[str, Any] = self._apply(value)
        return found

    def _apply(self, value: Any) -> Any:
        if self.everything:
            return value
        if isinstance(value, list):
            return [self._apply(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {name: sub._apply(value[name]) for name, sub in self.tree.items() if name in value}

    def paths(self) -> Iterator[tuple[str, ...]]:
        """Each leaf, as the names that lead to it."""
        for name, sub in self.tree.items():
            if sub.tree:
                yield from ((name, *rest) for rest in sub.paths())
            else:
                yield (name,)


EVERYTHING = Mask()


def parse(text: str | None, message: str | None = None) -> Mask:
    """The mask that the text stands for; no text means everything.

    With a message the names are checked against the schema. Raises ApiError for anything else.
    """
    if not text:
        return EVERYTHING
    tokens = TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise bad(f"Invalid field mask: {text}")
    mask = _list(tokens, text)
    if tokens:
        raise bad(f"Invalid field mask: {text}")
    if message:
        _check(mask, message, text)
    return mask


def updates(text: str | None) -> Mask:
    """The mask of an update request, which must not be empty."""
    if not text:
        raise bad("At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)")
    return parse(text)


def _list(tokens: list[str], text: str) -> Mask:
    """name[.name...][(list)], separated by commas; takes what it reads off the tokens."""
    mask = Mask()
    while True:
        node = mask
        while True:
            if not tokens or tokens[0] in "(),./":
                raise bad(f"Invalid field mask: {text}")
            node = node.tree.setdefault(tokens.pop(0), Mask())
            if not tokens or tokens[0] not in "./":
                break
            tokens.pop(0)
        if tokens and tokens[0] == "(":
            tokens.pop(0)
            node.tree.update(_list(tokens, text).tree)
            if not tokens or tokens.pop(0) != ")":
                raise bad(f"Invalid field mask: {text}")
        if not tokens or tokens[0] != ",":
            return mask
        tokens.pop(0)


def _check(mask: Mask, message: str, path: str) -> None:
    known = MESSAGES.get(message)
    if known is None:
        return
    for name, sub in mask.tree.items():
        if name == "*":
            continue
        if name not in known:
            raise bad(f"Error expanding 'fields' parameter. Cannot find matching fields for path '{name}'.")
        _check(sub, known[name].strip("[]"), path)
