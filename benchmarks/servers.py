"""The stand-in servers, made for processes of their own (remote.py): filled, counted and recorded.

What a method takes and gives goes through a pipe: small values only. What was recorded goes to a file.
"""

import gc
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import runs
from tests.support.sheets.faults import Fault as SheetsFault
from tests.support.sheets.faults import Request as SheetsRequest
from tests.support.sheets.server import Reply, SheetsServer
from tests.support.wandb.data import Run, iso
from tests.support.wandb.faults import Answer, Fault
from tests.support.wandb.server import WandbServer

ENTITY, TAB = "team", "runs"


@dataclass(frozen=True)
class Asked:
    """What came in at W&B. `lists` are the requests that list runs, `whole` those of them that ask for
    config and summary; `runs` and `sent`: runs and bytes in the answers, before those were compressed."""

    requests: int = 0
    lists: int = 0
    whole: int = 0
    runs: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Written:
    """What came in at Google Sheets, tokens left out; `payload`: bytes of the writes."""

    requests: int
    writes: int
    payload: int


class _WandbServer(WandbServer):
    """Counts what is in its answers."""

    asked = Asked()

    def respond(self, body: bytes, headers: Mapping[str, str]) -> tuple[Answer, Fault | None]:
        answer, fault = super().respond(body, headers)
        asked, lists = self.asked, b"runs(" in body
        self.asked = Asked(
            requests=asked.requests + 1,
            lists=asked.lists + lists,
            whole=asked.whole + (b"summaryMetrics" in body),
            runs=asked.runs + (answer.body.count(b'"node":{') if lists else 0),
            sent=asked.sent + len(answer.body),
        )
        return answer, fault


class Wandb:
    """A W&B server with projects of made-up runs."""

    def __init__(self) -> None:
        gc.disable()  # nothing here makes cycles, and passes over a million objects would be measured
        self._server = _WandbServer(entity=ENTITY)

    def env(self) -> dict[str, str]:
        """What a child process needs in its environment to use this server."""
        return self._server.env()

    def url(self) -> str:
        return self._server.url

    def add(self, project: str, count: int, recent: bool = False, state: str = "finished") -> None:
        """Add runs after those that are there; `recent` ones had their last sign of life just now."""
        server = self._server
        start = len(server.project(ENTITY, project).runs)
        server.add(
            ENTITY, project, *(self._run(number, recent, state) for number in range(start, start + count))
        )

    def finish(self, project: str) -> None:
        """All runs that are running end now, with other results."""
        _, now = runs.times(0, recent=True)
        for number, run in enumerate(self._server.project(ENTITY, project).runs.values()):
            if run.state == "running":
                run.state, run.heartbeat_at = "finished", iso(now)
                run.summary = json.dumps(runs.summary(number + 1))

    def take(self) -> Asked:
        """What came in since the last time."""
        with self._server.lock:
            asked, self._server.asked = self._server.asked, Asked()
            self._server.requests.clear()
        return asked

    def count(self) -> int:
        """Requests since `take`."""
        return len(self._server.requests)

    def record(self, path: str) -> None:
        """Write to a file the requests for whole runs since `take`, one a line."""
        with Path(path).open("w") as file:
            for request in self._server.requests:
                if "summaryMetrics" in request.query:
                    file.write(json.dumps({"query": request.query, "variables": request.variables}) + "\n")

    def _run(self, number: int, recent: bool, state: str) -> Run:
        created, heartbeat = runs.times(number, recent=recent)
        return Run(
            id=runs.name(number),
            display_name=f"sunny-field-{number}",
            state=state,
            created_at=iso(created),
            heartbeat_at=iso(heartbeat),
            tags=["baseline"] if number % 2 else [],
            group=f"g{number % 3}",
            job_type="train",
            user=self._server.user,
            config=runs.config_text(number),
            summary=json.dumps(runs.summary(number)),
        )


class _SheetsServer(SheetsServer):
    """Keeps no body in memory: those of 100,000 rows, parsed, would fill it. Writes them to `record`."""

    record: Path | None = None

    def answer(
        self, request: SheetsRequest, raw: bytes, header: str | None, fault: SheetsFault | None = None
    ) -> Reply:
        reply = super().answer(request, raw, header, fault)
        request.body = None
        if self.record and request.kind == "write":
            _, _, method = request.path.rpartition(":")
            line = {"method": method, "query": request.query, "status": reply[0], "body": raw.decode()}
            with self.record.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return reply


class Sheets:
    """A Sheets server with spreadsheets by key."""

    def __init__(self) -> None:
        gc.disable()  # see Wandb
        self._server = _SheetsServer()
        self._server.__enter__()

    def url(self) -> str:
        return self._server.url

    def create(self, title: str) -> str:
        """A new spreadsheet with one blank tab; its key."""
        return self._server.create(title).key

    def drop(self, key: str) -> None:
        """Forget a spreadsheet."""
        self._server.documents[key].state.grids.clear()

    def key_file(self, path: str) -> None:
        """Write a key file of a service account."""
        self._server.key_file(path)

    def token(self) -> str:
        """A bearer token."""
        return self._server.token()

    def record(self, path: str) -> None:
        """Write all writes from now on to a file, one a line; "" ends that."""
        self._server.record = Path(path) if path else None

    def rows(self, key: str) -> int:
        """How many rows stand below the header."""
        return max(0, self._server.documents[key].tab(TAB).grid.last_row() - 1)

    def take(self) -> Written:
        """What came in since the last time."""
        with self._server.api.lock:
            found = [request for request in self._server.requests if request.kind != "token"]
            self._server.requests.clear()
        writes = [request for request in found if request.kind == "write"]
        return Written(len(found), len(writes), sum(request.received for request in writes))

    def writes(self) -> int:
        """Writes since `take`."""
        return self._server.count("write")
