"""Google Sheets, spoken to by the unmodified client over HTTP: what a tick leaves in the sheet."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runsheet.columns import Header
from runsheet.destinations.gsheet import spreadsheet_key
from runsheet.errors import AccessError, ConfigError, NotFound, ServiceError, SheetError, Unreachable
from runsheet.sync import Mode
from tests.support import builders
from tests.support.builders import Desk, FakeClock, rules, run, tick
from tests.support.sheets import (
    ACCOUNT,
    Document,
    SheetsServer,
    applied,
    late,
    people,
    refuse,
    reset,
    truncate,
)
from tests.support.sheets.state import State

RUNS = [run(number) for number in range(5)]


class TestFirstContact:
    def test_a_missing_tab_is_made(self, desk: Desk) -> None:
        """The WORKSHEET appears with a frozen bold header, as wide as a new tab is, and one row a run."""
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        assert tab.values()[0] == ["run_id", "name", "epoch", "loss", "lr", "model.name"]
        assert desk.ids() == [r.id for r in RUNS]
        assert tab.size == (106, 26)
        assert tab.look("A1").format == {"textFormat": {"bold": True}}
        assert tab.grid.layout["frozenRowCount"] == 1
        assert desk.document.tab("_runsheet").hidden

    def test_an_empty_first_tab_is_used(self, desk: Desk) -> None:
        """Without WORKSHEET a fresh spreadsheet's only tab is filled."""
        desk.tick(RUNS, worksheet="")
        assert desk.ids("Sheet1") == [r.id for r in RUNS]
        assert desk.document.tab("Sheet1").size[1] == 26
        desk.tick([*RUNS, run(9)], worksheet="")
        assert desk.ids("Sheet1")[-1] == "run0009"

    @pytest.mark.parametrize("worksheet", ["runs", ""], ids=["new", "empty"])
    def test_many_columns_and_a_few_more(self, desk: Desk, worksheet: str) -> None:
        """A tab gets the columns it needs, and blank ones beside them to type into."""
        desk.tick([run(0, config={f"key{n:02d}": 1 for n in range(40)}, summary={})], worksheet=worksheet)
        assert desk.document.tab(worksheet or "Sheet1").size[1] == 47

    def test_the_doctor_probes_what_live_rows_need(self, desk: Desk) -> None:
        """Each rule is told, and nothing is left behind."""
        before = (desk.document.snapshot(), desk.document.metadata)
        assert len(list(desk.connect().probe())) == 3
        assert (desk.document.snapshot(), desk.document.metadata) == before

    def test_a_service_whose_answers_show_nothing(self, desk: Desk, server: SheetsServer) -> None:
        """The doctor says that live rows cannot work, and leaves nothing behind."""
        answer = server.answer
        bare = (200, "application/json", b"{}")
        server.answer = lambda request, *rest: (  # type: ignore[method-assign]
            (answer(request, *rest), bare)[1] if "copyPaste" in request.types else answer(request, *rest)
        )
        with pytest.raises(ServiceError, match="LIVE_ROWS cannot work"):
            list(desk.connect().probe())
        assert [tab.title for tab in desk.document.tabs] == ["Sheet1"]

    def test_probes_leave_nothing_behind(self, desk: Desk) -> None:
        """What first contact tries out is gone afterwards."""
        desk.tick(RUNS)
        assert "1920298613" not in str([item.id for item in desk.document.metadata])

    def test_the_second_tick_writes_nothing(self, desk: Desk, server: SheetsServer) -> None:
        """P1: nothing new, nothing written, two reads."""
        desk.tick(RUNS)
        before, writes, reads = desk.document.snapshot(), server.count("write"), server.count("read")
        report = desk.tick(RUNS)
        assert report.added == 0
        assert desk.document.snapshot() == before
        assert (server.count("write") - writes, server.count("read") - reads) == (0, 2)

    def test_a_dry_run_writes_nothing(self, desk: Desk, server: SheetsServer) -> None:
        """--dry_run shows the plan and sends no write, probes included."""
        report = desk.tick(RUNS, mode=Mode(dry_run=True))
        assert report.planned is not None
        assert len(report.planned.rows) == 5
        assert server.count("write") == 0

    def test_a_service_with_other_rules_is_refused(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """Exactly-once rests on how metadata behaves: where the probe is accepted, no row is written."""
        monkeypatch.setattr(State, "add_meta", lambda state, meta: state.metadata.update({meta.id: meta}))
        with pytest.raises(ServiceError, match="does not behave as it must"):
            desk.tick(RUNS)
        assert [tab.title for tab in desk.document.tabs] == ["Sheet1"]

    def test_the_doctor_tries_what_has_to_be_accepted(self, desk: Desk, server: SheetsServer) -> None:
        """The first write of a table would show it, so that first contact does not."""
        server.script(refuse(400, kind="write", nth=2))
        with pytest.raises(ServiceError, match="does not behave as it must"):
            list(desk.connect().probe())


class TestCells:
    def test_values_are_typed(self, desk: Desk) -> None:
        """P5: numbers are numbers, text is text and never a formula, dates are dates."""
        value: dict[str, Any] = {
            "formula": "=1+1",
            "plus": "+1",
            "zeros": "0042",
            "date": "2024-01-01",
            "flag": True,
            "number": 1e-05,
            "big": 2**60,
            "hangul": "학습률 🚀",
        }
        desk.tick(
            [run(1, config=value, summary={}, created=datetime(2024, 11, 20, 14, 30, 15, tzinfo=UTC))],
            rules("run_id", "created_at"),
        )
        header, row = desk.values()
        cells = dict(zip(header, row, strict=False))
        assert {key: cells[key] for key in value} == value | {"big": str(2**60)}
        assert isinstance(cells["created_at"], float)
        shown = dict(zip(header, desk.document.tab("runs").formatted()[1], strict=False))
        assert shown["created_at"] == "2024-11-20 14:30:15 UTC"
        assert shown["formula"] == "=1+1"

    def test_no_cell_but_ours_has_a_value(self, desk: Desk) -> None:
        """NaN, infinities and None are empty cells."""
        desk.tick([run(1, config={}, summary={"a": float("nan"), "b": "Infinity", "c": None, "d": 1})])
        assert desk.values() == [["run_id", "name", "d"], ["run0001", "kim", 1]]


class TestPeople:
    def test_columns_are_known_by_identity(self, desk: Desk) -> None:
        """P3: moved, renamed and inserted columns keep working."""
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        tab.insert_columns("B")
        tab.put("B1", "my notes")
        tab.put("B2", "keep me")
        tab.move_columns("A", "F")
        tab.put("A1", "mine")
        desk.tick([*RUNS, run(7, summary={"loss": 0.125})])
        header, *rows = desk.values()
        last = dict(zip(header, rows[-1], strict=False))
        assert (last["run_id"], last["loss"]) == ("run0007", 0.125)
        assert last["mine"] is None
        assert rows[0][0] == "keep me"

    def test_sorting_blank_rows_and_totals_change_nothing(self, desk: Desk) -> None:
        """P4: rows are found by their ids; new ones go under the last of them, above a total."""
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        tab.sort("A", ascending=False)
        tab.insert_rows(4)
        tab.put("A9", "Total")
        tab.put("D9", "=SUM(D2:D7)")
        desk.tick([*RUNS, run(8)])
        ids = desk.ids()
        assert ids == ["run0004", "run0003", "run0002", "run0001", "run0000", "run0008", "Total"]

    def test_deleted_rows_stay_away(self, desk: Desk) -> None:
        """P4: a row deleted by hand does not come back, however often the run is listed."""
        desk.tick(RUNS)
        desk.document.tab("runs").delete_rows(3)
        report = desk.tick([*RUNS, run(8)])
        assert desk.ids() == ["run0000", "run0002", "run0003", "run0004", "run0008"]
        assert report.deleted == 1

    def test_deleted_columns_stay_away(self, desk: Desk) -> None:
        """P3: a column of ours that a person deleted is not made again."""
        desk.tick(RUNS)
        desk.document.tab("runs").delete_columns("D")
        desk.tick([*RUNS, run(8, config={"fresh": 1})])
        assert desk.values()[0] == ["run_id", "name", "epoch", "lr", "model.name", "fresh"]

    def test_new_columns_go_right_of_everything(self, desk: Desk) -> None:
        """P2: a person's column and headless data beside the table are neither moved nor filled."""
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        tab.put("G1", "comment")
        tab.put("H4", "scribble")
        desk.tick([*RUNS, run(8, config={"fresh": 1})])
        header = desk.values()[0]
        assert header.index("comment") == 6
        assert header.index("fresh") == 8
        assert tab.value("H4") == "scribble"

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize(
        "deed",
        [
            lambda tab: tab.insert_columns("B"),
            lambda tab: tab.move_columns("A", "D"),
            lambda tab: tab.delete_columns("C"),
            lambda tab: tab.delete_columns("F"),
            lambda tab: tab.sort("A", ascending=False),
            lambda tab: tab.rename("Runs of Q4"),
        ],
        ids=["insert", "move", "delete", "delete last", "sort", "rename tab"],
    )
    def test_an_edit_between_read_and_write(
        self, desk: Desk, server: SheetsServer, deed: Any, moment: str
    ) -> None:
        """P3: a column that moves in the second between our read and our write shifts no value."""
        desk.tick(RUNS)
        work = people(**{moment: lambda document: deed(document.tab("runs")), "kind": "read", "nth": 2})
        server.script(work)
        desk.tick([*RUNS, run(8, summary={"loss": 0.5}, config={"lr": 7})])
        title = next(tab.title for tab in desk.document.tabs if tab.title.casefold().startswith("runs"))
        header, *rows = desk.values(title)
        new = [dict(zip(header, row, strict=False)) for row in rows if "run0008" in row]
        assert len(new) == 1
        assert new[0]["run_id"] == "run0008"
        assert new[0].get("lr", 7) == 7
        assert new[0].get("loss", 0.5) == 0.5

    def test_a_renamed_tab_is_found(self, desk: Desk) -> None:
        """A tab of ours is known by its mark, not by its title."""
        desk.tick(RUNS)
        desk.document.tab("runs").rename("Q4")
        desk.tick([*RUNS, run(8)])
        assert desk.ids("Q4")[-1] == "run0008"
        assert "runs" not in [tab.title for tab in desk.document.tabs]

    def test_a_cleared_tab_starts_over(self, desk: Desk) -> None:
        """P4: clearing the whole tab, header included, brings all runs back, and the report says so."""
        desk.tick(RUNS)
        desk.document.tab("runs").clear()
        report = desk.tick(RUNS)
        assert report.over
        assert desk.ids() == [r.id for r in RUNS]
        assert desk.tick(RUNS).added == 0

    def test_a_deleted_tab_starts_over(self, desk: Desk) -> None:
        """P4: so does deleting the tab."""
        desk.tick(RUNS)
        desk.document.delete_tab("runs")
        assert desk.tick(RUNS).over
        assert desk.ids() == [r.id for r in RUNS]

    def test_a_deleted_bookkeeping_tab(self, desk: Desk) -> None:
        """Without the book-keeping the visible rows count, nothing is doubled, and people are told."""
        desk.tick(RUNS)
        desk.document.delete_tab("_runsheet")
        report = desk.tick([*RUNS, run(8)])
        assert report.lost_notes
        assert desk.ids() == [*(r.id for r in RUNS), "run0008"]
        assert desk.tick([*RUNS, run(8)]).added == 0

    def test_two_tables_in_one_spreadsheet(self, desk: Desk) -> None:
        """Two WORKSHEETs share the book-keeping tab and nothing else."""
        desk.tick(RUNS, worksheet="one")
        desk.tick(RUNS, worksheet="two")
        assert desk.ids("one") == desk.ids("two") == [r.id for r in RUNS]
        assert desk.tick(RUNS, worksheet="one").added == 0


class TestBookkeeping:
    def test_it_is_packed_now_and_then(self, desk: Desk) -> None:
        """Hundreds of small notes become few, nothing is forgotten, and other tables' notes stay."""
        desk.tick(RUNS, worksheet="other")
        desk.tick(RUNS)
        tab = desk.document.tab("_runsheet")
        for number in range(500):
            tab.append(f'["runs","ids","wandb api.wandb.ai team/proj","old{number}"]')
        tab.append("a person's remark")
        old = [run(f"old{number}") for number in range(500)]
        desk.tick([*RUNS, run(8), *old])
        texts = [row[0] for row in desk.document.tab("_runsheet").values()]
        assert len(texts) < 60
        assert "a person's remark" in texts
        assert desk.document.tab("_runsheet").hidden
        report = desk.tick([*RUNS, run(8), run(9), *old])
        assert (report.added, report.deleted) == (1, 500)
        assert desk.tick(RUNS, worksheet="other").added == 0


class TestAdoption:
    HEADER = ["run_id", "_timestamp", "name", "train_loss", "Note"]

    def _seed(self, desk: Desk) -> Document:
        """A sheet that the first script of this kind filled, with a person's column at the end."""
        tab = desk.document.tab("Sheet1")
        tab.fill(
            "A1",
            [
                self.HEADER,
                ["run0000", "2024-11-20 14:30:15", "kim", 0.5, "good one"],
                ["run0001", "2024-11-20 15:00:00", "lee", 0.25],
            ],
        )
        return desk.document

    def test_a_filled_sheet_is_adopted_unchanged(self, desk: Desk) -> None:
        """Known runs stay as they are; a new one fills the columns by their titles."""
        document = self._seed(desk)
        before = document.tab("Sheet1").values()
        fresh = run(2, summary={"train/loss": 0.125}, config={})
        desk.tick([*RUNS[:2], fresh], rules("run_id", "_timestamp", "name", "train_loss"), worksheet="")
        after = document.tab("Sheet1").values()
        old = [row[: len(was)] for was, row in zip(before, after, strict=False)]
        assert old == before
        assert not any(
            cell for was, row in zip(before, after, strict=False) for cell in row[5:] if was is not before[0]
        )
        new = dict(zip(after[0], after[3], strict=False))
        assert (new["run_id"], new["name"], new["train_loss"]) == ("run0002", "kim", 0.125)
        assert new.get("Note") is None
        assert len(after) == 4

    def test_the_second_tick_after_adoption_writes_nothing(self, desk: Desk, server: SheetsServer) -> None:
        """Adoption happens once."""
        self._seed(desk)
        wanted = rules("run_id", "_timestamp", "name", "train_loss")
        desk.tick(RUNS, wanted, worksheet="")
        writes = server.count("write")
        assert desk.tick(RUNS, wanted, worksheet="").added == 0
        assert server.count("write") == writes

    def test_rows_deleted_after_adoption_stay_away(self, desk: Desk) -> None:
        """Runs that the sheet showed when it was adopted count as added."""
        self._seed(desk)
        wanted = rules("run_id", "name")
        desk.tick(RUNS, wanted, worksheet="")
        desk.document.tab("Sheet1").delete_rows(2)
        desk.tick(RUNS, wanted, worksheet="")
        assert "run0000" not in desk.ids("Sheet1")

    def test_a_tab_with_other_data_is_refused(self, desk: Desk, server: SheetsServer) -> None:
        """A tab of somebody else's is never written; the sentence names WORKSHEET."""
        desk.document.tab("Sheet1").fill("A1", [["Name", "Phone"], ["Kim", "1"]])
        with pytest.raises(SheetError, match="WORKSHEET"):
            desk.tick(RUNS, worksheet="")
        assert server.count("write") == 0

    def test_data_without_a_header_is_refused(self, desk: Desk, server: SheetsServer) -> None:
        """A blank first row does not make a tab empty."""
        desk.document.tab("Sheet1").put("C7", "something")
        with pytest.raises(SheetError, match="WORKSHEET"):
            desk.tick(RUNS, worksheet="")
        assert server.count("write") == 0


class TestFaults:
    @pytest.mark.parametrize("nth", range(1, 9))
    @pytest.mark.parametrize(
        "fault",
        [
            lambda nth: applied("reset", nth=nth),
            lambda nth: applied(503, nth=nth),
            lambda nth: reset(nth=nth),
            lambda nth: refuse(429, nth=nth),
            lambda nth: refuse(502, nth=nth),
            lambda nth: truncate(nth=nth),
            lambda nth: late(nth=nth),
            lambda nth: late(2, nth=nth),
        ],
        ids=["applied, reset", "applied, 503", "reset", "429", "502", "cut", "applied later", "applied soon"],
    )
    def test_one_fault_anywhere(self, desk: Desk, server: SheetsServer, fault: Any, nth: int) -> None:
        """P1: whatever one request suffers, two ticks leave each run exactly once."""
        server.script(fault(nth))
        for _ in range(2):
            try:
                desk.tick(RUNS)
            except ServiceError:
                server.release()
        server.release()
        desk.tick([*RUNS, run(8)])
        assert desk.ids() == [*(r.id for r in RUNS), "run0008"]

    def test_waits_are_bounded(self, desk: Desk, server: SheetsServer) -> None:
        """A service that is down for good fails the tick within minutes, with the true cause."""
        server.script(refuse(503, times=1000, kind="read"))
        clock = FakeClock()
        with pytest.raises(Unreachable, match="HTTP 503"):
            tick(desk.connect(), RUNS, clock=clock)
        assert server.count("read") <= 6

    def test_a_quota_that_stays_used_up(self, desk: Desk, server: SheetsServer) -> None:
        """A 429 is waited for; nothing is written twice when it passes."""
        server.script(refuse(429, times=3, kind="write"))
        desk.tick(RUNS)
        assert desk.ids() == [r.id for r in RUNS]

    def test_two_daemons(self, desk: Desk, server: SheetsServer) -> None:
        """P1: a second daemon that writes between our read and our write doubles nothing."""
        desk.tick(RUNS[:1])
        server.script(people(before=lambda _: None, kind="read", nth=2))
        other = desk.connect()
        done: list[bool] = []

        def rival(request: Any) -> None:
            if request.kind == "write" and not done:
                done.append(True)
                tick(other, RUNS)

        server.before_request = rival
        desk.tick([*RUNS, run(8)])
        assert done
        assert sorted(desk.ids()) == sorted([*(r.id for r in RUNS), "run0008"])


class TestErrors:
    def test_no_such_spreadsheet(self, desk: Desk) -> None:
        """The error names the address to share the spreadsheet with."""
        with pytest.raises(NotFound, match=r"@.*share"):
            tick(desk.connect(name="x" * 44), RUNS)

    def test_not_shared(self, desk: Desk) -> None:
        """So does the error of one that is not shared."""
        desk.document.unshare()
        with pytest.raises((AccessError, NotFound), match=r"@.*share|share.*@"):
            desk.tick(RUNS)

    def test_shared_for_reading_only(self, desk: Desk) -> None:
        """Read-only sharing is said as such, before anything is half done."""
        desk.document.unshare()
        desk.document.share(role="reader")
        with pytest.raises(AccessError, match=r"shared read-only with \S+@.*share it .* as editor"):
            desk.tick(RUNS)
        assert [tab.title for tab in desk.document.tabs] == ["Sheet1"]

    def test_a_revoked_key(self, desk: Desk, server: SheetsServer) -> None:
        """A revoked key is not tried again and again."""
        server.revoke_keys()
        with pytest.raises(AccessError, match="revoked"):
            desk.tick(RUNS)
        assert server.count("token") <= 3

    def test_a_protected_column(self, desk: Desk) -> None:
        """A protected range of ours stops the tick, which names it; nothing is written."""
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        tab.protect("D:D", description="final numbers")
        tab.protect("A1:B50")
        tab.protect("E:E", editable=True, description="open to us")
        desk.document.tab("Sheet1").protect("A:A", description="of another tab")
        before = desk.document.snapshot()
        with pytest.raises(SheetError) as caught:
            desk.tick([*RUNS, run(8)])
        text = str(caught.value)
        assert (
            "the protected range 'runs'!D:D (\"final numbers\") and the protected range 'runs'!A1:B50" in text
        )
        assert "another tab" not in text
        assert "open to us" not in text
        assert f"let {ACCOUNT} edit" in text
        assert desk.document.snapshot() == before

    def test_a_protected_book_keeping(self, desk: Desk) -> None:
        """The hidden tab may be what is protected."""
        desk.tick(RUNS)
        desk.document.tab("_runsheet").protect()
        with pytest.raises(SheetError, match="the protected tab '_runsheet'"):
            desk.tick([*RUNS, run(8)])
        assert desk.ids() == [r.id for r in RUNS]

    def test_nobody_answers(self, desk: Desk, server: SheetsServer) -> None:
        """No network is one sentence."""
        destination = desk.connect()
        server.close()
        with pytest.raises(Unreachable, match="cannot be reached"):
            tick(destination, RUNS)


class TestTitles:
    def test_a_title_is_looked_up(self, desk: Desk, server: SheetsServer) -> None:
        """A spreadsheet may be named by its title, apostrophes and all."""
        server.create('Kim\'s "best" runs')
        tick(desk.connect(name='Kim\'s "best" runs'), RUNS)
        document = next(d for d in server.documents.values() if d.title.startswith("Kim"))
        assert len(document.tab("runs").values()) == 6

    def test_two_spreadsheets_of_one_title(self, desk: Desk, server: SheetsServer) -> None:
        """A title that is not unique is an error with both URLs, never a guess."""
        other = server.create("Results")
        with pytest.raises(ConfigError, match=r"docs\.google\.com") as caught:
            tick(desk.connect(name="Results"), RUNS)
        assert other.key in str(caught.value)
        assert desk.document.key in str(caught.value)

    def test_no_spreadsheet_of_that_title(self, desk: Desk) -> None:
        """The error of an unknown title names the address to share with."""
        with pytest.raises(NotFound, match="@"):
            tick(desk.connect(name="Nothing here"), RUNS)

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("https://docs.google.com/spreadsheets/d/1AbC-_x/edit#gid=0", "1AbC-_x"),
            ("https://docs.google.com/spreadsheets/u/1/d/1AbC-_x/edit", "1AbC-_x"),
            ("1Aa_-" * 9, "1Aa_-" * 9),
            ("Experiments", ""),
            ("My runs of 2026", ""),
        ],
    )
    def test_keys_are_told_from_titles(self, text: str, key: str) -> None:
        """URLs and bare keys need no look-up."""
        assert spreadsheet_key(text) == key


class TestSize:
    @pytest.mark.parametrize(
        ("config", "count"),
        [
            ({f"key{n}": f"value {n} " * 5 for n in range(60)}, 600),
            ({f"key{n}": '학습"\n' * 9 for n in range(60)}, 400),
            ({"lr": 0.1}, 9_000),
        ],
        ids=["wide", "escapes", "narrow"],
    )
    def test_large_first_sync_comes_in_chunks(
        self, desk: Desk, server: SheetsServer, config: dict[str, Any], count: int
    ) -> None:
        """No request is larger than 2 MB, and all rows arrive in order."""
        runs = [run(number, config=config) for number in range(count)]
        desk.tick(runs)
        sizes = [request.received for request in server.requests if request.kind == "write"]
        assert max(sizes) <= 2_000_000
        assert sum(sizes) / 2_000_000 + 4 >= len(sizes)
        assert desk.ids() == [r.id for r in runs]

    def test_blank_columns_are_never_taken_away(self, desk: Desk) -> None:
        """Near 10 million cells too: a person may be typing into them."""
        desk.tick(RUNS)
        desk.document.tab("runs").resize(95_000, 100)
        desk.document.add_tab("big").resize(18_000, 26)
        before = desk.document.snapshot()
        with pytest.raises(SheetError, match=r"has 9,9\d\d,\d\d\d now.* Delete blank rows and columns"):
            desk.tick([*RUNS, *(run(100 + number) for number in range(100))])
        assert desk.document.snapshot() == before

    def test_a_new_tab_takes_no_more_than_there_is(self, desk: Desk) -> None:
        """Where a tab of the usual width does not fit, one that is as wide as the table does."""
        desk.document.add_tab("big").resize(99_725, 100)
        report = desk.tick(RUNS)
        assert desk.ids() == [r.id for r in RUNS]
        assert 6 <= desk.document.tab("runs").size[1] < 26
        assert "99 %" in "".join(report.remarks())

    def test_a_spreadsheet_that_becomes_full_is_said(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From 80 % on each tick that writes says how full it is, and what to do. What is in other tabs is
        looked up once a day."""
        desk.tick(RUNS)
        desk.document.add_tab("big").resize(83_000, 100)
        assert desk.tick([*RUNS, run(7)]).remarks() == []
        monkeypatch.setattr(builders, "NOW", builders.NOW + timedelta(days=1))
        (remark,) = desk.tick([*RUNS, run(8)]).remarks()
        assert remark.startswith("the spreadsheet holds 8,3")
        assert "of 10,000,000 cells (83 %)" in remark
        assert "MAX_COLUMNS" in remark
        assert desk.tick([*RUNS, run(8)]).remarks() == []
        (again,) = desk.tick([*RUNS, run(9)]).remarks()
        assert again.startswith("the spreadsheet holds 8,3")

    def test_half_full_is_not_said(self, desk: Desk) -> None:
        """Below 80 % nobody is bothered."""
        desk.document.add_tab("big").resize(79_000, 100)
        assert desk.tick(RUNS).remarks() == []

    def test_no_room_for_a_fixed_column(self, desk: Desk) -> None:
        """Blank columns up to the last that a tab can have: the tick says so before it writes."""
        desk.tick(RUNS)
        desk.document.tab("runs").resize(200, 18_278)
        before = desk.document.snapshot()
        with pytest.raises(SheetError, match="a tab holds 18,278"):
            desk.tick([*RUNS, run(8)], rules("run_id", "name", "state"))
        assert desk.document.snapshot() == before

    def test_a_full_spreadsheet_is_said(self, desk: Desk) -> None:
        """What cannot fit is an error with advice; one batch is refused as a whole, although a tab that
        was made since is not known yet."""
        desk.tick(RUNS)
        tab = desk.document.tab("runs")
        tab.resize(102, 6)
        tab.resize(500_000, 6)
        big = desk.document.add_tab("big")
        big.resize(69_730, 20)
        big.resize(69_730, 100)
        before = desk.document.snapshot()
        with pytest.raises(SheetError, match=r"is full .*10000000"):
            desk.tick([*RUNS, *(run(100 + n) for n in range(200))])
        assert desk.document.snapshot() == before

    def test_a_title_of_a_header_may_be_chosen(self, desk: Desk) -> None:
        """{"Learning Rate": "lr"} gives the column its title."""
        desk.tick(RUNS, rules("run_id", Header("lr", "Learning Rate"), dynamic=()))
        assert desk.values()[:2] == [["run_id", "Learning Rate"], ["run0000", 0.1]]


def test_a_title_above_the_header_stops_the_tick(desk: Desk) -> None:
    """A row inserted above the header: new columns would get their titles in the wrong row."""
    desk.tick(RUNS)
    tab = desk.document.tab("runs")
    tab.insert_rows(1)
    tab.put("A1", "Our experiments")
    before = desk.document.snapshot()
    with pytest.raises(SheetError, match="only 1 of our 6 headers"):
        desk.tick([*RUNS, run(8, config={"fresh": 1})])
    assert desk.document.snapshot() == before


def test_a_netrc_is_not_sent_to_google(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P8: W&B's login may be in ~/.netrc; what stands there for other hosts must not replace our token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\ndefault login you password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    desk.tick(RUNS)
    assert desk.ids() == [r.id for r in RUNS]


def test_the_last_column_deleted_between_read_and_write(desk: Desk, server: SheetsServer) -> None:
    """Nothing of ours stands right of it: the mark on the grid's last column tells that it went."""
    desk.tick(RUNS)
    server.script(people(after=lambda document: document.tab("runs").delete_columns("F"), kind="read", nth=2))
    desk.tick([*RUNS, run(8)])
    header, *rows = desk.values()
    assert header == ["run_id", "name", "epoch", "loss", "lr"]
    assert all(len(row) <= len(header) for row in rows)
    assert desk.ids()[-1] == "run0008"
