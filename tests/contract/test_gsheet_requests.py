"""What a tick costs on Google Sheets: requests, their size, and what is asked of Google with each."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runsheet import backends, config, undo
from runsheet.destinations.gsheet import GsheetDestination, marks
from runsheet.destinations.gsheet.client import QUOTA, Google
from runsheet.destinations.gsheet.credentials import SCOPE_NAMES, SCOPE_SHEETS, load_key
from runsheet.errors import NotFound, SheetError
from runsheet.model import Column, Content, Plan, Row, Scope
from runsheet.pace import Paces
from runsheet.sync import Mode
from tests.contract.test_live_gsheet import LIVE, running
from tests.support import builders
from tests.support.builders import Desk, FakeClock, rules, run, tick
from tests.support.sheets import Request, SheetsServer

NOW = builders.NOW
RUNS = [run(number) for number in range(5)]
MORE = [*RUNS, *(run(100 + number) for number in range(10))]
LARGE = [
    run(number, config={f"key{n:02d}": 1.5 + number / (n + 3) for n in range(50)}, summary={})
    for number in range(2_500)
]


class Counter:
    """Requests to Sheets and Drive from now on; tokens do not count."""

    def __init__(self, server: SheetsServer) -> None:
        self._server = server
        self._before = len(server.requests)

    @property
    def requests(self) -> list[Request]:
        return [request for request in self._server.requests[self._before :] if request.kind != "token"]

    @property
    def kinds(self) -> list[str]:
        return [request.kind for request in self.requests]

    @property
    def batches(self) -> list[int]:
        """The sizes of writes but the probe, which is refused."""
        return [r.received for r in self.requests if r.kind == "write" and r.status == 200]


@pytest.fixture
def counter(desk: Desk, server: SheetsServer) -> Counter:
    return Counter(server)


class TestFirstSync:
    @pytest.mark.parametrize(
        ("worksheet", "tab", "beside"),
        [("", "Sheet1", 3), ("runs", "runs", 3), ("Sheet1", "Sheet1", 4)],
        ids=["the only tab", "a tab that is missing", "an empty tab that is named"],
    )
    def test_requests(self, desk: Desk, counter: Counter, worksheet: str, tab: str, beside: int) -> None:
        """Beside the batches: which tabs there are, whether the one that is meant is empty, the probe. A
        named tab is read first, as in every tick, although its header does not tell whether it is empty."""
        desk.tick(LARGE, worksheet=worksheet)
        sizes = counter.batches
        assert len(counter.requests) == len(sizes) + beside
        assert len(sizes) <= sum(sizes) / 2_000_000 + 1
        assert len(desk.ids(tab)) == len(LARGE)

    @pytest.mark.parametrize("live", [False, True], ids=["settled", "live"])
    def test_batches_are_filled(self, desk: Desk, counter: Counter, live: bool) -> None:
        """Within one percent of 2 MB, and never above."""
        runs = [replace(item, state="running", heartbeat=builders.NOW) for item in LARGE] if live else LARGE
        desk.tick(runs, rules("run_id", "created_at", live=live))
        *full, last = counter.batches
        assert len(full) >= 2
        assert all(1_980_000 <= size <= 2_000_000 for size in full), full
        assert last <= 2_000_000

    def test_one_probe_is_sent(self, desk: Desk, counter: Counter) -> None:
        """The refused one; the doctor sends both."""
        desk.tick(RUNS)
        probes = [r.status for r in counter.requests if str(marks.PROBE_TAB) in str(r.body)]
        assert probes == [400]

    def test_a_large_tab_is_not_read_whole(self, desk: Desk, counter: Counter) -> None:
        """A sheet that is adopted is read by columns, and looked at anew when the runs are there: no mark
        guards it yet."""
        tab = desk.document.tab("Sheet1")
        tab.resize(5_000, 26)
        tab.fill("A1", [["run_id", "name"], ["run0000", "kim"]])
        desk.tick(RUNS, rules("run_id", "name", dynamic=()), worksheet="")
        assert desk.ids("Sheet1") == [item.id for item in RUNS]
        ranges = [r.query["ranges"] for r in counter.requests if "ranges" in r.query]
        assert ranges == [["'Sheet1'!1:1"]] * len(ranges)
        assert len(ranges) <= 3

    def test_an_empty_text_is_blank_and_a_hidden_one_is_not(self, desk: Desk, counter: Counter) -> None:
        """Where a tab is read whole, what counts is what its cells hold, not what they show."""
        tab = desk.document.tab("Sheet1")
        tab.put("C7", '=""')
        assert desk.connect("").read().empty
        tab.put("C8", 5)
        tab.format("C8", {"numberFormat": {"type": "NUMBER", "pattern": ";;;"}})
        assert not desk.connect("").read().empty


class TestTicks:
    @pytest.mark.parametrize("worksheet", ["runs", ""])
    def test_new_runs(self, desk: Desk, server: SheetsServer, worksheet: str) -> None:
        """The shape, the ids with the book-keeping, a batch; in every tick of a process but its first."""
        memo: dict[str, Any] = {}
        tick(desk.connect(worksheet, memo=memo), RUNS)
        counter = Counter(server)
        assert tick(desk.connect(worksheet, memo=memo), MORE).added == 10
        assert counter.kinds == ["read", "read", "write"]

    @pytest.mark.parametrize("worksheet", ["runs", ""])
    def test_the_first_read(self, desk: Desk, server: SheetsServer, worksheet: str) -> None:
        """One request, watermarks included."""
        memo: dict[str, Any] = {}
        tick(desk.connect(worksheet, memo=memo), RUNS)
        destination = desk.connect(worksheet, memo=memo)
        shape = destination.read()
        counter = Counter(server)
        content = destination.content(shape)
        plan = Plan(shape, content, owned=shape.owned, watermarks=("until noon",))
        assert len(list(destination.apply(plan))) == 1
        assert desk.connect(worksheet, memo=memo).read().watermarks == ("until noon",)
        assert counter.kinds == ["read", "write", "read"]

    def test_watermarks_alone_need_no_content(self, desk: Desk, server: SheetsServer) -> None:
        """Nothing is looked up of a book-keeping that is not written."""
        desk.tick(RUNS)
        destination, counter = desk.connect(), Counter(server)
        shape = destination.read()
        list(destination.apply(Plan(shape, Content(), owned=shape.owned, watermarks=("noon",))))
        assert counter.kinds == ["read", "write"]
        assert desk.tick(RUNS).added == 0

    def test_nothing_waits(self, desk: Desk) -> None:
        """The quota is not felt in a usual tick, nor in a first sync."""
        clock = FakeClock()
        google = connect(desk, clock)
        tick(GsheetDestination(google, desk.document.key), LARGE)
        tick(GsheetDestination(google, desk.document.key), [*LARGE, run(9_999)])
        assert clock.waited == []


class TestMemo:
    def test_a_renamed_tab_is_found_again(self, desk: Desk, server: SheetsServer) -> None:
        memo: dict[str, Any] = {}
        tick(desk.connect("", memo=memo), RUNS)
        desk.document.tab("Sheet1").rename("Q4")
        assert tick(desk.connect("", memo=memo), [*RUNS, run(8)]).added == 1
        counter = Counter(server)
        assert tick(desk.connect("", memo=memo), [*RUNS, run(8)]).added == 0
        assert counter.kinds == ["read", "read"]
        assert desk.ids("Q4")[-1] == "run0008"

    def test_a_tab_of_the_worksheet_that_was_renamed(self, desk: Desk, server: SheetsServer) -> None:
        """It is not looked for among all tabs in each tick. A new one of the old title comes first, as it
        does when the process starts anew."""
        memo: dict[str, Any] = {}
        tick(desk.connect(memo=memo), RUNS)
        desk.document.tab("runs").rename("Q4")
        tick(desk.connect(memo=memo), RUNS)
        counter = Counter(server)
        tick(desk.connect(memo=memo), RUNS)
        assert counter.kinds == ["read", "read", "read"], "the old title, the tab that was found, its ids"
        desk.document.add_tab("runs")
        tick(desk.connect(memo=memo), RUNS)
        assert len(desk.ids("runs")) == len(desk.ids("Q4")) == len(RUNS)

    @pytest.mark.parametrize("deed", ["another", "copy"])
    def test_another_tab_has_the_title(self, desk: Desk, deed: str) -> None:
        """What has taken the place of our tab is not taken for it."""
        memo: dict[str, Any] = {}
        tick(desk.connect("", memo=memo), RUNS)
        desk.document.tab("Sheet1").rename("Q4")
        if deed == "copy":
            desk.document.duplicate_tab("Q4", "Sheet1")
        else:
            desk.document.add_tab("Sheet1").put("A1", "mine")
        before = desk.values("Sheet1")
        tick(desk.connect("", memo=memo), [*RUNS, run(8)])
        assert desk.ids("Q4")[-1] == "run0008"
        assert desk.values("Sheet1") == before

    def test_a_title_is_looked_up_in_each_tick(self, desk: Desk, server: SheetsServer) -> None:
        """The spreadsheet may be in the trash by now, and another one have its title."""
        memo: dict[str, Any] = {}
        tick(desk.connect(name="Results", memo=memo), RUNS)
        counter = Counter(server)
        tick(desk.connect(name="Results", memo=memo), [*RUNS, run(8)])
        assert counter.kinds == ["drive", "read", "read", "write"]

    @pytest.mark.parametrize("deed", ["deleted", "unshared", "renamed"])
    def test_the_title_is_another_spreadsheet_s(self, desk: Desk, server: SheetsServer, deed: str) -> None:
        """Its rows go where the title is now, in the same tick."""
        memo: dict[str, Any] = {}
        tick(desk.connect(name="Results", memo=memo), RUNS)
        old = desk.document
        if deed == "renamed":
            old.state.title = "Results of last year"
        elif deed == "unshared":
            old.unshare()
        else:
            del server.documents[old.key]
        before = old.snapshot()
        with pytest.raises(NotFound, match="Results"):
            tick(desk.connect(name="Results", memo=memo), RUNS)
        new = server.create("Results")
        tick(desk.connect(name="Results", memo=memo), RUNS)
        assert len(new.tab("runs").values()) == len(RUNS) + 1
        assert old.snapshot() == before


class TestSize:
    """How large the other tabs are is looked up once a day."""

    def fill(self, desk: Desk, cells: int) -> None:
        desk.document.add_tab("big").resize(cells // 100, 100)

    def test_more_than_a_batch_asks_again(self, desk: Desk, server: SheetsServer) -> None:
        """What does not fit is known before anything of it is written."""
        desk.tick([LARGE[0]])
        self.fill(desk, 7_900_000)
        desk.document.tab("runs").resize(36_000, desk.document.tab("runs").size[1])
        before = desk.document.snapshot()
        with pytest.raises(SheetError, match="do not fit"):
            desk.tick(LARGE, mode=Mode(accept_changes=True))
        assert desk.document.snapshot() == before

    def test_a_full_spreadsheet_takes_changes(self, desk: Desk) -> None:
        """They make nothing larger, so what is remembered does not stop them."""
        self.fill(desk, 9_900_000)
        tick(desk.connect(), [running(1, 0.5)], LIVE)
        desk.document.delete_tab("big")
        desk.document.tab("runs").resize(10_000, 26)
        assert tick(desk.connect(), [running(1, 0.25)], LIVE).updated_ids == ("run0001",)

    def test_a_day_later_it_is_asked_again(
        self, desk: Desk, server: SheetsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk.tick(RUNS)
        counts = []
        for number, hours in enumerate((1, 25, 26)):
            monkeypatch.setattr(builders, "NOW", NOW + timedelta(hours=hours))
            counter = Counter(server)
            desk.tick([*RUNS, *(run(10 + n) for n in range(number + 1))])
            counts.append(len(counter.requests))
        assert counts == [3, 4, 3]

    @pytest.mark.parametrize("key", [marks.KEY_ELSEWHERE, marks.KEY_WATERMARKS])
    @pytest.mark.parametrize("value", ["many, long ago", "{}", "[[1], null]", "9" * 30])
    def test_what_a_person_did_to_a_mark(
        self, desk: Desk, server: SheetsServer, key: str, value: str
    ) -> None:
        """A mark that makes no sense is as good as none, and replaced."""
        desk.tick(RUNS)
        destination = desk.connect()
        shape = destination.read()
        list(destination.apply(Plan(shape, Content(), owned=shape.owned, watermarks=("noon",))))
        (mark,) = [item for item in desk.document.tab("runs").marks() if item.key == key]
        gone = {"developerMetadataLookup": {"metadataId": mark.id}}
        desk.document.request({"deleteDeveloperMetadata": {"dataFilter": gone}})
        tab = {"sheetId": desk.document.tab("runs").id}
        desk.document.request(marks.create(mark.id, mark.key, value, tab))
        destination = desk.connect()
        shape = destination.read()
        plan = Plan(shape, destination.content(shape), owned=shape.owned, watermarks=("later",))
        list(destination.apply(plan))
        assert desk.connect().read().watermarks == ("later",)
        desk.tick([*RUNS, run(8)])
        counter = Counter(server)
        desk.tick([*RUNS, run(8), run(9)])
        assert counter.kinds == ["read", "read", "write"]


class TestWatermarks:
    def watermarks(self, desk: Desk, worksheet: str = "runs") -> tuple[str, ...]:
        return desk.connect(worksheet).read().watermarks

    def mark(self, desk: Desk, *texts: str) -> None:
        destination = desk.connect()
        shape = destination.read()
        plan = Plan(shape, destination.content(shape), owned=shape.owned, watermarks=texts)
        list(destination.apply(plan))

    def test_rows_that_came_or_went_show_in_the_first_read(self, desk: Desk) -> None:
        """A person deletes or inserts rows: the table is to be looked at. Ours do not count."""
        desk.tick(RUNS)
        self.mark(desk, "noon")
        tab = desk.document.tab("runs")
        touched = [desk.connect().read().touched]
        tab.delete_rows(3)
        touched.append(desk.connect().read().touched)
        self.mark(desk, "one")
        touched.append(desk.connect().read().touched)
        tab.insert_rows(2, 1)
        touched.append(desk.connect().read().touched)
        assert touched == [False, True, False, True]

    def test_a_copy_has_none(self, desk: Desk) -> None:
        """Also not once it was written: nobody knows what was in the table when it was copied."""
        desk.tick(RUNS)
        self.mark(desk, "noon")
        desk.document.duplicate_tab("runs", "copy")
        assert self.watermarks(desk) == ("noon",)
        assert self.watermarks(desk, "copy") == ()
        desk.tick([*RUNS, run(8)], worksheet="copy")
        assert self.watermarks(desk, "copy") == ()
        keys = [item.key for item in desk.document.tab("copy").marks()]
        assert marks.KEY_WATERMARKS not in keys
        assert keys.count(marks.KEY_ELSEWHERE) == 1

    def test_what_has_no_room_is_not_kept(self, desk: Desk) -> None:
        """A tab keeps 30,000 characters: too many watermarks must not stop the rows."""
        desk.tick(RUNS)
        self.mark(desk, "noon")
        self.mark(desk, *(f"{number} {'x' * 290}" for number in range(110)))
        assert self.watermarks(desk) == ()
        assert desk.tick([*RUNS, run(8)]).added == 1

    def test_old_columns_are_forgotten_for_them(self, desk: Desk) -> None:
        """Fingerprints of columns that came and went give way."""
        destination = desk.connect()
        gone = tuple(Column(f"gone{n}", f"gone{n}", "") for n in range(200))
        shape = destination.read()
        row = Row(Scope("wandb", "", "p"), "r1", (None,) * 200)
        list(destination.apply(Plan(shape, destination.content(shape), columns=gone, new=gone, rows=[row])))
        texts = tuple(f"{number} {'x' * 290}" for number in range(60))
        self.mark(desk, *texts)
        assert self.watermarks(desk) == texts


def connect(desk: Desk, clock: FakeClock, paces: Paces | None = None) -> Google:
    credentials = load_key(str(desk.key_file), [SCOPE_SHEETS, SCOPE_NAMES])
    return Google(credentials, clock, desk.server.url, paces=paces)


class TestQuota:
    @pytest.mark.parametrize("shared", [True, False])
    def test_reads_are_counted_by_account(self, desk: Desk, shared: bool) -> None:
        """Two destinations of one process share the quota of their account; what has no process keeps to
        its own."""
        clock = FakeClock()
        paces = Paces(clock) if shared else None
        for _ in range(2):
            destination = GsheetDestination(connect(desk, clock, paces), desk.document.key, "Sheet1")
            for _ in range(QUOTA[0] // 2):
                destination._sheets.tabs()
        assert clock.waited == []
        destination._sheets.tabs()
        assert clock.waited == ([QUOTA[1]] if shared else [])

    def test_reads_do_not_wait_for_writes(self, desk: Desk) -> None:
        clock = FakeClock()
        sheets = GsheetDestination(connect(desk, clock), desk.document.key, "Sheet1")._sheets
        for _ in range(130):
            sheets.update([marks.delete(metadataId=marks.PROBE)])
        assert clock.waited == [60.0, 60.0]
        for _ in range(60):
            sheets.tabs()
        assert clock.waited == [60.0, 60.0]

    def test_a_process_hands_on_what_it_remembers(self, desk: Desk, server: SheetsServer) -> None:
        """Backends are made anew for each tick, their memory is not."""
        settings = config.Config(
            SPREADSHEET_NAME=desk.document.key, GCP_JSON=str(desk.key_file), GOOGLE_API_ENDPOINT=server.url
        )
        setup = backends.Setup(settings, FakeClock(), {})
        tick(backends.destination(setup), RUNS)
        paces, counter = setup.paces, Counter(server)
        again = replace(setup)
        tick(backends.destination(again), [*RUNS, run(8)])
        assert counter.kinds == ["read", "read", "write"]
        assert again.paces is paces


class TestAnswers:
    @pytest.fixture
    def requests(self, desk: Desk, server: SheetsServer, tmp_path: Path) -> list[Request]:
        """All that a first sync, a live tick with a repair, a backup and an undo send."""
        tick(desk.connect("", name="Results"), [running(1, 0.5), running(2, 0.5)], LIVE)
        desk.document.tab("Sheet1").put("C3", "mine")
        destination = desk.connect("", drive_copy=True)
        tick(destination, [running(1, 0.25), running(2, 0.25), run(3)], LIVE)
        destination.backup(destination.read(), tmp_path / "backup.xlsx")
        undo.undo(desk.connect(""), FakeClock(), "")
        list(desk.connect().probe())
        desk.document.tab("Sheet1").clear()
        tick(desk.connect(), [run(3)])
        return [request for request in server.requests if request.kind != "token"]

    def test_only_what_is_needed_is_asked_for(self, requests: list[Request]) -> None:
        assert {request.kind for request in requests} == {"read", "write", "drive"}
        assert [r.path for r in requests if not r.query.get("fields")] == []
        assert [r.path for r in requests if r.query.get("prettyPrint") != ["false"]] == []

    def test_answers_come_compressed(self, requests: list[Request]) -> None:
        assert all(request.compressed for request in requests)


def test_a_long_answer_is_short_on_the_way(desk: Desk, server: SheetsServer) -> None:
    desk.tick(LARGE)
    counter = Counter(server)
    desk.tick(LARGE)
    content = counter.requests[-1]
    assert content.path.endswith("values:batchGetByDataFilter")
    assert content.sent < 20 * len(LARGE)
