"""The rows that a run logged, as the stand-in answers them: sampled, and as JSON text."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SAMPLES = 500
"""Rows that a client gets that does not say how many: the client's own number."""


def texts(rows: Sequence[Any], samples: int) -> list[str]:
    """At most so many of the rows, evenly picked, the first and the last among them."""
    step = max(1.0, (len(rows) - 1) / max(1, samples - 1))
    picked = [rows[round(number * step)] for number in range(min(samples, len(rows)))]
    return [row if isinstance(row, str) else json.dumps(row) for row in picked]


def keys(rows: Sequence[Any]) -> dict[str, Any] | None:
    """The `historyKeys` of these rows, as wandb/sdk/verify/verify.py reads them; None when there are none."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    last: dict[str, Any] = {}
    for row in rows:
        for key, value in flat(row) if isinstance(row, dict) else ():
            counts[key][kind(value)] += 1
            last[key] = value
    if not counts:
        return None
    entries = {
        key: {
            "typeCounts": [{"type": kind, "count": count} for kind, count in found.items()],
            "monotonic": False,
            "previousValue": last[key] if kind(last[key]) == "number" else -1,
        }
        for key, found in counts.items()
    }
    return {"keys": entries, "lastStep": last.get("_step", len(rows) - 1), "sets": []}


def flat(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a row; nested ones are named "outer.inner", and media are values."""
    for key, value in row.items():
        if isinstance(value, dict) and value and "_type" not in value:
            yield from flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def kind(value: Any) -> str:
    """What the service calls the type of a value."""
    if isinstance(value, dict):
        return str(value.get("_type", "map"))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if number else "string"
