"""Google Sheets under attack: what people, faults and rivals did once, each case by itself, and the
defects that are still open. All of them at random: tests/property/test_attack.py.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from requests import Response

from runsheet import sync
from runsheet.destinations.gsheet.client import _retry_after
from runsheet.errors import RunsheetError
from runsheet.sources.base import Query
from runsheet.sources.memory import MemorySource
from tests.support.builders import NOW, Desk, FakeClock, rules, run, tick
from tests.support.sheets import (
    Document,
    Fault,
    SheetsServer,
    a1,
    people,
    refuse,
)

RUNS = [run(number) for number in range(3)]
IDS = [item.id for item in RUNS]
MORE = [*RUNS, run(8)]


def work(deed: Callable[[Document], object], **where: Any) -> Fault:
    """Somebody works right before the next write is applied."""
    return people(before=deed, **({"kind": "write"} | where))


class TestDoubled:
    """P1: a run whose id stands in the run_id column is not appended again."""

    def test_the_bookkeeping_was_cleared(self, desk: Desk) -> None:
        desk.tick(RUNS)
        desk.document.tab("_runsheet").clear()
        desk.tick(RUNS)
        assert desk.ids() == IDS

    def test_a_row_of_the_bookkeeping_was_deleted(self, desk: Desk) -> None:
        desk.tick(RUNS)
        notes = desk.document.tab("_runsheet")
        place = next(n for n, row in enumerate(notes.values(), 1) if '"ids"' in row[0])
        notes.delete_rows(place)
        desk.tick(RUNS)
        assert desk.ids() == IDS

    def test_two_tables_in_one_spreadsheet(self, desk: Desk) -> None:
        """Each WORKSHEET is a table of its own, in a book-keeping that they share."""
        desk.tick(RUNS, worksheet="one")
        desk.tick(RUNS[:2], worksheet="two")
        desk.document.tab("one").delete_rows(4)
        for worksheet in ("one", "two", "one", "two"):
            desk.tick(RUNS, worksheet=worksheet)
        assert (desk.ids("one"), desk.ids("two")) == (IDS[:2], IDS)

    def test_a_column_was_inserted_in_the_bookkeeping(self, desk: Desk) -> None:
        desk.tick(RUNS)
        desk.document.tab("_runsheet").insert_columns("A")
        desk.tick(MORE)
        assert desk.ids() == [*IDS, "run0008"]
        desk.document.tab("runs").delete_rows(5)
        desk.tick(MORE)
        assert desk.ids() == IDS

    @pytest.mark.parametrize(
        ("before", "tab", "after"),
        [("", "Sheet1", "Sheet1"), ("runs", "runs", "Runs"), ("a", "b", "b"), ("runs", "runs", "")],
        ids=["named later", "another case", "tab and config renamed", "no longer named"],
    )
    def test_worksheet_was_changed_in_the_config(self, desk: Desk, before: str, tab: str, after: str) -> None:
        desk.tick(RUNS, worksheet=before)
        if before:
            desk.document.tab(before).rename(tab)
            desk.document.delete_tab("Sheet1")
        desk.tick(RUNS, worksheet=after)
        assert desk.ids(tab) == IDS

    @pytest.mark.parametrize("rename", [True, False])
    def test_a_copy_takes_the_place_of_the_tab(self, desk: Desk, rename: bool) -> None:
        desk.tick(RUNS)
        copy = desk.document.duplicate_tab("runs")
        desk.document.delete_tab("runs")
        if rename:
            copy.rename("runs")
        desk.tick(RUNS)
        assert desk.ids(copy.title) == IDS

    def test_a_copy_dragged_in_front_of_the_tab(self, desk: Desk) -> None:
        desk.tick(RUNS, worksheet="")
        copy = desk.document.duplicate_tab("Sheet1", "backup")
        place = {"properties": {"sheetId": copy.id, "index": 0}, "fields": "index"}
        desk.document.request({"updateSheetProperties": place})
        desk.tick(MORE, worksheet="")
        assert desk.ids("backup") == IDS
        assert desk.ids("Sheet1") == [*IDS, "run0008"]

    def test_a_table_of_run_ids_lost_its_bookkeeping(self, desk: Desk) -> None:
        wanted = rules("run_id", dynamic=())
        desk.tick(RUNS, wanted)
        desk.document.delete_tab("_runsheet")
        desk.tick(RUNS, wanted)
        assert desk.ids() == IDS

    @pytest.mark.parametrize(
        ("header", "row"),
        [
            (["run_id", "comment"], ["run0000", "good"]),
            (["Run ID", "User"], ["run0000", "kim"]),
            (["run_id", "name", "name"], ["run0000", "kim", "x"]),
        ],
    )
    def test_an_adopted_sheet_of_ids_and_comments(
        self, desk: Desk, header: list[str], row: list[str]
    ) -> None:
        tab = desk.document.tab("Sheet1")
        tab.fill("A1", [header, row])
        desk.tick(RUNS, worksheet="")
        assert [line[0] for line in tab.values()[1:]] == IDS

    def test_adopted_ids_that_are_formatted_numbers(self, desk: Desk) -> None:
        tab = desk.document.tab("Sheet1")
        tab.fill("A1", [["run_id", "name"], [12345678, "kim"]])
        tab.format("A2:A9", {"numberFormat": {"type": "NUMBER", "pattern": "#,##0"}})
        desk.tick([run("12345678")], worksheet="")
        assert len(tab.values()) == 2

    def test_adopted_ids_with_blanks(self, desk: Desk) -> None:
        tab = desk.document.tab("Sheet1")
        tab.fill("A1", [["run_id", "name"], ["run0000 ", "kim"]])
        desk.tick(RUNS, worksheet="")
        assert len(tab.values()) == 4

    def test_ids_that_are_cleaned(self, desk: Desk) -> None:
        odd = [run("a\r\nb"), run(" lead"), run("x\x00y")]
        desk.tick(odd)
        assert desk.tick([*odd, run(8)]).deleted == 0
        assert desk.ids()[-1] == "run0008"
        desk.document.delete_tab("_runsheet")
        assert desk.tick([*odd, run(8)]).added == 0

    def test_one_adopted_row_for_two_runs_of_one_id(self, desk: Desk) -> None:
        desk.document.tab("Sheet1").fill("A1", [["run_id", "name"], ["same", "kim"]])
        projects = {name: [run("same", name)] for name in ("team/a", "team/b")}
        sync.tick(MemorySource(projects), desk.connect(""), rules(), Query(), FakeClock())
        assert desk.ids("Sheet1") == ["same", "same"]


class TestWrongPlace:
    """P2, P3, P4: values stand in the columns of their keys, and what people have is left alone."""

    def test_a_column_was_deleted_and_another_inserted_there(self, desk: Desk, server: SheetsServer) -> None:
        def deed(document: Document) -> None:
            tab = document.tab("runs")
            tab.delete_columns("D")
            tab.insert_columns("D")
            tab.put("D1", "mine")

        desk.tick(RUNS)
        server.script(work(deed))
        desk.tick(MORE)
        assert [row[3] for row in desk.values()] == ["mine", None, None, None, None]

    def test_a_column_was_cut_and_pasted(self, desk: Desk) -> None:
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        tab.cut("D1:D9", "J1")
        tab.put("D1", "comment")
        desk.tick([*RUNS, run(8, summary={"loss": 0.125})])
        assert desk.values()[4][3] is None

    def test_a_tab_and_its_worksheet_were_renamed(self, desk: Desk) -> None:
        desk.tick(RUNS, worksheet="a")
        desk.document.tab("a").rename("b")
        desk.tick(MORE, worksheet="b")
        desk.tick([run(50)], worksheet="a")
        assert desk.ids("b") == [*IDS, "run0008"]

    @pytest.mark.parametrize("what", ["formula", "note"])
    def test_new_columns_move_no_blank_looking_column(self, desk: Desk, what: str) -> None:
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        if what == "note":
            tab.note("G2", "remember")
        else:
            tab.put("G2", '=""')
        desk.tick([*RUNS, run(8, config={"fresh": 1})])
        kept = tab.look("G2").note == "remember" or "=" in str(tab.entered()[1][6:7])
        assert kept
        assert desk.values()[0][7] == "fresh"

    def test_a_tab_that_remembers_no_columns_yet(self, desk: Desk) -> None:
        """What the book-keeping knows of deleted columns is taken over with the next rows."""
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        (mark,) = [item for item in tab.marks() if item.key == "runsheet.made"]
        tab.delete_columns("D")
        lookup = {"developerMetadataLookup": {"metadataId": mark.id}}
        desk.document.request({"deleteDeveloperMetadata": {"dataFilter": lookup}})
        desk.tick(MORE)
        desk.document.delete_tab("_runsheet")
        desk.tick([*MORE, run(9)])
        assert desk.values()[0] == ["run_id", "name", "epoch", "lr", "model.name"]
        assert desk.ids() == [*IDS, "run0008", "run0009"]

    def test_columns_are_looked_at_while_the_tab_is_renamed(self, desk: Desk, server: SheetsServer) -> None:
        """Where new columns go is asked of the tab itself, whatever it is called at that moment."""
        desk.tick(RUNS)
        desk.document.tab("runs").put("H2", "mine")

        def rename(document: Document) -> None:
            document.tab("runs").rename("Q4")
            document.add_tab("runs")

        server.script(people(after=rename, kind="read", nth=2))
        desk.tick([*RUNS, run(8, config={"fresh": 1})])
        assert desk.values("Q4")[0][8] == "fresh"
        assert desk.document.tab("runs").values() == []

    def test_frozen_rows_of_an_empty_tab(self, desk: Desk) -> None:
        tab = desk.document.tab("Sheet1")
        tab.freeze(3)
        desk.tick(RUNS, worksheet="")
        assert tab.grid.layout["frozenRowCount"] == 3


class TestLooks:
    """P5: numbers look like numbers and dates like dates."""

    def test_a_new_column_beside_a_date(self, desk: Desk) -> None:
        wanted, old = rules("run_id", "created_at"), run(1, config={}, summary={})
        desk.tick([old], wanted)
        desk.tick([old, run(2, config={}, summary={"loss": 0.25})], wanted)
        assert desk.document.tab("runs").formatted()[2][2] == "0.25"

    def test_a_date_below_an_adopted_row(self, desk: Desk) -> None:
        tab = desk.document.tab("Sheet1")
        tab.fill("A1", [["run_id", "created_at"], ["run0000", "2024-11-20 14:30:15"]])
        wanted = rules("run_id", "created_at", dynamic=())
        desk.tick(RUNS[:2], wanted, worksheet="")
        tab.sort("A", ascending=False)
        desk.tick(RUNS, wanted, worksheet="")
        assert all(row[1].startswith("202") for row in tab.formatted()[1:])


class TestSize:
    def test_rows_between_many_columns_of_people(self, desk: Desk, server: SheetsServer) -> None:
        desk.tick([run(0, config={f"k{n:02d}": 1 for n in range(60)})])
        for number in range(58, 0, -1):
            desk.document.tab("runs").insert_columns(a1.letters(number))
        desk.tick([run(number, config={"k01": 1}) for number in range(3_000)], mode=sync.Mode(False, True))
        assert max(request.received for request in server.requests if request.kind == "write") <= 2_000_000

    def test_long_keys(self, desk: Desk, server: SheetsServer) -> None:
        config = {f"k{n:02d}{'x' * 220}": "v" * 60 for n in range(100)}
        desk.tick([run(number, config=config) for number in range(400)])
        assert max(request.received for request in server.requests if request.kind == "write") <= 2_000_000

    def test_many_columns(self, desk: Desk) -> None:
        desk.tick([run(0, config={f"key{n:04d}": 1 for n in range(1_500)})], rules(limit=3_000))
        assert desk.ids() == ["run0000"]

    def test_no_more_columns_than_a_sheet_has(self, desk: Desk) -> None:
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        tab.resize(10, 18_278)
        tab.put(f"{a1.letters(18_277)}1", "mine")
        desk.tick([*RUNS, run(8, config={"fresh": 1})])
        assert tab.size[1] <= 18_278
        assert desk.ids()[-1] == "run0008"

    def test_a_run_that_is_too_large(self, desk: Desk, server: SheetsServer) -> None:
        server.script(refuse(400, kind="write", times=99, when=lambda r: "run0000" in str(r.body)))
        for _ in range(2):
            with suppress(RunsheetError):
                desk.tick(RUNS)
        assert desk.ids() == IDS[1:]


class TestChanged:
    """P6: what moves under a write is read again in the same tick, and is no error."""

    def test_rows_were_deleted(self, desk: Desk, server: SheetsServer) -> None:
        many = [run(number) for number in range(20)]
        desk.tick(many)
        tab = desk.document.tab("runs")
        tab.resize(21, tab.size[1])
        server.script(work(lambda document: document.tab("runs").delete_rows(10, 8)))
        desk.tick([*many, run(30)])
        assert desk.ids()[-1] == "run0030"

    def test_a_column_was_moved(self, desk: Desk, server: SheetsServer) -> None:
        """Between ours, so that neither the first nor the last column tells."""
        desk.tick(RUNS)
        server.script(work(lambda document: document.tab("runs").move_columns("C", "E")))
        desk.tick(MORE)
        titles, *rows = desk.values()
        assert dict(zip(titles, rows[3], strict=True)) == dict(zip(titles, rows[2], strict=True)) | {
            "run_id": "run0008"
        }

    def test_rows_were_frozen(self, desk: Desk, server: SheetsServer) -> None:
        desk.tick(RUNS)
        desk.document.tab("runs").sort("A")
        server.script(work(lambda document: document.tab("runs").freeze(6)))
        desk.tick(MORE)
        assert desk.document.tab("runs").grid.layout["frozenRowCount"] == 6

    def test_the_bookkeeping_was_deleted(self, desk: Desk, server: SheetsServer) -> None:
        desk.tick(RUNS)
        server.script(work(lambda document: document.delete_tab("_runsheet")))
        desk.tick(MORE)
        assert desk.ids() == [*IDS, "run0008"]

    def test_a_renamed_tab_was_renamed_again(self, desk: Desk, server: SheetsServer) -> None:
        desk.tick(RUNS)
        desk.document.tab("runs").rename("Q3")
        server.script(people(after=lambda document: document.tab("Q3").rename("Q4"), kind="read", nth=2))
        desk.tick(MORE)
        assert desk.ids("Q4") == [*IDS, "run0008"]

    def test_the_tab_was_cleared(self, desk: Desk, server: SheetsServer) -> None:
        desk.tick(RUNS)
        server.script(work(lambda document: document.tab("runs").clear()))
        desk.tick(MORE)
        desk.tick(MORE)
        assert desk.ids() == [*IDS, "run0008"]

    def test_rows_of_a_rival_are_not_reported(self, desk: Desk, server: SheetsServer) -> None:
        desk.tick(RUNS[:1])
        done: list[bool] = []

        def rival(request: Any) -> None:
            if request.kind == "write" and not done:
                done.append(True)
                tick(desk.connect(), RUNS)

        server.before_request = rival
        assert desk.tick(RUNS).added == 0

    def test_a_tab_that_is_called_almost_like_ours(self, desk: Desk) -> None:
        desk.document.add_tab("_RunSheet")
        desk.tick(RUNS)
        assert desk.ids() == IDS


class TestLive:
    """Rows follow their runs; what a person changed is kept, cell by cell."""

    @pytest.mark.parametrize("what", ["cell", "column"])
    def test_a_run_that_settled_is_resumed(self, desk: Desk, what: str) -> None:
        wanted = rules("run_id", "name", live=True)
        desk.tick(RUNS, wanted)
        tab, place = desk.document.tab("runs"), desk.values()[0].index("loss")
        if what == "cell":
            tab.put(f"{a1.letters(place)}2", "corrected")
        else:
            tab.delete_columns(a1.letters(place))
        later = run(0, config={"lr": 0.9}, summary={"loss": 0.125}, heartbeat=NOW)
        desk.tick([later, *RUNS[1:]], wanted)
        assert desk.values()[1][desk.values()[0].index("lr")] == 0.9


class TestTracebacks:
    """Whatever a service or a proxy answers, the error is one of ours."""

    @pytest.mark.parametrize("body", [b'{"error": "Forbidden"}', b'{"error": {"message": "no"}}'])
    @pytest.mark.parametrize("kind", ["read", "write"])
    def test_errors_of_a_proxy(self, desk: Desk, server: SheetsServer, body: bytes, kind: Any) -> None:
        server.script(refuse(403, kind=kind, times=99))
        server.refusal = lambda request, status: (status, "application/json", body)  # type: ignore[method-assign]
        with pytest.raises(RunsheetError):
            desk.tick(RUNS)

    def test_an_odd_token_error(self, desk: Desk, server: SheetsServer) -> None:
        server.script(refuse(400, kind="token", times=99))
        server.refusal = lambda request, status: (status, "application/json", b"[]")  # type: ignore[method-assign]
        with pytest.raises(RunsheetError):
            desk.tick(RUNS)

    @pytest.mark.parametrize("body", [b"{}", b'{"sheets": []}', b'{"sheets": [{}]}'])
    def test_answers_without_a_sheet(self, desk: Desk, server: SheetsServer, body: bytes) -> None:
        answer = server.answer
        fake = (200, "application/json", body)
        server.answer = lambda request, *rest: (  # type: ignore[method-assign]
            answer(request, *rest) if request.kind == "token" else fake
        )
        with pytest.raises(RunsheetError):
            desk.tick(RUNS)

    def test_a_damaged_private_key(self, desk: Desk) -> None:
        data = json.loads(desk.key_file.read_text())
        lines = data["private_key"].split("\n")
        lines[6] = lines[6][::-1]
        desk.key_file.write_text(json.dumps(data | {"private_key": "\n".join(lines)}))
        with pytest.raises(RunsheetError):
            desk.tick(RUNS)

    def test_an_odd_retry_after(self) -> None:
        response = Response()
        response.headers["Retry-After"] = "\u00b2"
        assert _retry_after(response) is None
