"""What a run logged, by one request for it: rows of both streams, and the keys of them."""

import logging
import re
import threading
from collections.abc import Callable, Sequence, Set
from typing import Any

from runsheet.model import Run
from runsheet.sources.base import Logged, Rows, Stream
from runsheet.sources.wandb_api import rows as wandb_rows
from runsheet.sources.wandb_api.client import Client
from runsheet.sources.wandb_api.errors import Refused
from runsheet.sources.wandb_api.query import Node
from runsheet.sources.wandb_api.rows import COUNT, FIELDS, NAMES, SAMPLES

log = logging.getLogger(__name__)


class Reader:
    """Reads what runs of one server logged, and remembers what it does not understand.

    Several threads may use it. Raises NotFound for a run that is gone, and what Client.persist() does.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unknown: set[str] = set()
        self._lean = True
        self._lock = threading.Lock()

    def logged(self, run: Run) -> Logged:
        """The keys of both streams."""
        return wandb_rows.logged(self._node(run, [NAMES, COUNT, *FIELDS.values()]))

    def rows(self, run: Run, stream: Stream, wanted: Callable[[str], bool]) -> Rows:
        """The rows of a stream."""
        fields = [FIELDS[stream], *([COUNT] if stream is Stream.HISTORY else [])]
        return wandb_rows.rows(self._node(run, fields), stream, wanted)

    def _node(self, run: Run, fields: Sequence[str]) -> Node:
        """The run with these fields, or those of them that the server knows."""
        streams = {*FIELDS.values()} & {*fields}
        while self._lean and (known := {*fields} - self._unknown):
            if not known & streams:
                break  # nothing is left that has rows
            try:
                return self._ours(run, sorted(known))
            except Refused as refused:
                if not self._step_down(known, refused):
                    with self._lock:
                        first, self._lean = self._lean, False
                    if first:
                        log.warning(
                            "rows are read by the slower documented way, since ours failed: %s", refused
                        )
        return self._client.documented_run(_path(run), sorted(streams), SAMPLES)

    def _ours(self, run: Run, fields: Sequence[str]) -> Node:
        """By one request. Raises Refused."""
        entity, _, project = run.scope.project.partition("/")
        given = {"entity": entity, "project": project, "name": run.id, "samples": SAMPLES}
        text = wandb_rows.text(fields)
        data = self._client.persist(lambda: self._client.execute(text, given))
        node: Any = (data.get("project") or {}).get("run")
        if node is None:
            raise self._client.gone(_path(run))
        return node  # type: ignore[no-any-return]

    def _step_down(self, asked: Set[str], refused: Refused) -> bool:
        """Ask no more for what a server refused by name; False when it named nothing of ours."""
        words = {*re.findall(r"\bfield\W+(\w+)", str(refused), re.IGNORECASE)}
        named = words & asked
        for name in sorted(named):
            log.warning("W&B does not tell %s: %s", name, refused)
        self._unknown |= named
        return bool(named)


def _path(run: Run) -> str:
    return f"{run.scope.project}/{run.id}"
