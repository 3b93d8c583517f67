"""The filter and order language of `runs(filters:, order:)`, as far as it is documented.

Fields and operators that are not documented are answered with an error, so that a source that
leans on one of them fails here first.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.support.wandb.data import Run


class BadFilter(Exception):
    """A filter or order that the service does not document."""


FIELDS: dict[str, Callable[[Run], Any]] = {
    "createdAt": lambda run: run.created_at,
    "displayName": lambda run: run.display_name,
    "duration": lambda run: duration(run),
    "group": lambda run: run.group,
    "host": lambda run: run.host,
    "jobType": lambda run: run.job_type,
    "name": lambda run: run.id,
    "state": lambda run: run.state,
    "sweep": lambda run: run.sweep_name,  # not in the documents, but in the client: Sweep.runs
    "tags": lambda run: run.tags,
    "username": lambda run: run.user and run.user.username,
}
ORDERS: dict[str, Callable[[Run], Any]] = {
    "created_at": lambda run: run.created_at or "",
    "heartbeat_at": lambda run: run.heartbeat_at or "",
}


def duration(run: Run) -> float | None:
    if not run.created_at or not run.heartbeat_at:
        return None
    return (moment(run.heartbeat_at) - moment(run.created_at)).total_seconds()


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def value_of(run: Run, name: str) -> Any:
    """The value that a filter's field name means for a run; None where it has none."""
    if name in FIELDS:
        return FIELDS[name](run)
    head, _, path = name.partition(".")
    if not path or head not in ("config", "summary_metrics"):
        raise BadFilter(f"unknown filter field {name!r}")
    value = json.loads((run.config if head == "config" else run.summary) or "{}")
    for part in path.removesuffix(".value").split("."):
        value = value.get(part) if isinstance(value, dict) else None
        if head == "config" and isinstance(value, dict) and "value" in value:
            value = value["value"]
    return value


def matches(run: Run, rule: Mapping[str, Any]) -> bool:
    """Whether a run satisfies every entry of a filter object."""
    return all(_entry(run, key, wanted) for key, wanted in rule.items())


def _entry(run: Run, key: str, wanted: Any) -> bool:
    if key in ("$and", "$or", "$nor"):
        found = [matches(run, rule) for rule in wanted]
        return {"$and": all(found), "$or": any(found), "$nor": not any(found)}[key]
    if key.startswith("$"):
        raise BadFilter(f"unknown operator {key}")
    value = value_of(run, key)
    if isinstance(wanted, dict):
        return all(_compare(op, value, operand) for op, operand in wanted.items())
    return _equal(value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    return wanted in value if isinstance(value, list) else bool(value == wanted)


def _compare(op: str, value: Any, operand: Any) -> bool:
    if op not in OPERATORS:
        raise BadFilter(f"unknown operator {op}")
    return OPERATORS[op](value, operand)


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(value: Any, operand: Any) -> bool:
        try:
            return value is not None and test(*_comparable(value, operand))
        except TypeError:
            return False

    return compare


def _comparable(value: Any, operand: Any) -> tuple[Any, Any]:
    try:
        return moment(value), moment(operand)
    except (TypeError, ValueError):
        return value, operand


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda value, operand: not _equal(value, operand),
    "$gt": _ordered(lambda a, b: a > b),
    "$gte": _ordered(lambda a, b: a >= b),
    "$lt": _ordered(lambda a, b: a < b),
    "$lte": _ordered(lambda a, b: a <= b),
    "$in": lambda value, operand: any(_equal(value, one) for one in operand),
    "$nin": lambda value, operand: not any(_equal(value, one) for one in operand),
    "$exists": lambda value, operand: (value is not None) == bool(operand),
    "$regex": lambda value, operand: isinstance(value, str) and re.search(operand, value) is not None,
}


def arrange(runs: Sequence[Run], order: str) -> list[Run]:
    """The runs in the order asked for; equal ones stay as they were added."""
    down, name = order.startswith("-"), order.lstrip("+-")
    key = ORDERS.get(name)
    if key is None:
        raise BadFilter(f"unknown order {order!r}")
    return sorted(runs, key=key, reverse=down)
