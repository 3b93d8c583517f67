"""The source `export` keeps the contract of sources, on a file of ours and on W&B's CSV.

Tried with these faults in the source, each of which some test here finds: defaults left out although they
differ (`state` ""); the machine always told; ids compared without their scope; half of a line decoded as a
run; the file written in place; a temporary file left; `projects` that bear on a CSV; the scope of this source
for all; rows in the order of the file; "007" taken for a number; a cut row taken for a run.
"""

import json
import math
import stat
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsheet import backends, sync
from runsheet.clock import Clock
from runsheet.config import Config
from runsheet.destinations.memory import MemoryDestination, MemorySheet
from runsheet.errors import AccessError, ConfigError, NotFound, ServiceError, Stopped
from runsheet.model import Run, Scope, Skip
from runsheet.report import Report
from runsheet.sources.base import Query, Source
from runsheet.sources.export import ExportSource, lines, web_table, write
from tests.contract.source_contract import SourceContract, split
from tests.support import builders

SCOPE = Scope("wandb", "api.wandb.ai", "team/proj")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

FULL = Run(
    scope=SCOPE,
    id="a b/c",
    name="=1+1",
    state="",
    created=BEGIN,
    heartbeat=BEGIN + timedelta(seconds=0.25),
    runtime=12.5,
    user="ann",
    tags=("x", "ü\n"),
    group="g",
    job_type="train",
    sweep="sw",
    notes='two\nlines, "quoted" \u2028\x85',
    url="https://wandb.ai/team/proj/runs/a",
    machine="node7",
    timed=True,
    gpus=8,
    config={"lr": 1e-05, "big": 2**80, "a.b": {"c": [1, None, True]}, "half": "\ud83d", "inf": math.inf},
    summary={"loss": "NaN", "名前": "テスト"},
)
"""A run of which no field has its default."""


def runs(count: int, project: str = "team/proj") -> list[Run]:
    return [
        builders.run(number, project, created=BEGIN + timedelta(minutes=number)) for number in range(count)
    ]


def listed(path: Path, query: Query | None = None, **options: Any) -> list[Run | Skip]:
    """All that a file gives, project by project."""
    source = ExportSource(path, clock=Clock(), **options)
    try:
        return [item for name in source.projects() for item in source.runs(name, query or Query())]
    finally:
        source.close()


class ExportContract(SourceContract):
    """The contract, but for the scope: runs keep the one that they had."""

    @pytest.fixture
    def ids(self) -> list[str]:
        return [f"run{number:04d}" for number in range(4)]

    def test_runs_say_where_they_come_from(self, source: Source) -> None:
        found, _ = split(source.runs(source.projects()[0], Query()))
        assert {run.scope for run in found} == {SCOPE}


class TestLines(ExportContract):
    @pytest.fixture
    def source(self, tmp_path: Path, clock: Clock) -> Iterator[ExportSource]:
        path = tmp_path / "runs.jsonl"
        write(path, [replace(run, machine="node7") for run in runs(4)] + runs(2, "team/other"))
        text = path.read_text().splitlines(keepends=True)
        text[3:3] = ["{broken\n", text[1].replace('"id"', '"no id"'), "\n"]
        path.write_text("".join(text))
        source = ExportSource(path, clock=clock)
        yield source
        source.close()

    @pytest.fixture
    def lost(self) -> list[str]:
        return ["line 4", "line 5"]


class TestWebTable(ExportContract):
    @pytest.fixture
    def source(self, tmp_path: Path, clock: Clock) -> Iterator[ExportSource]:
        rows = [f'"run{n:04d}","n","{BEGIN + timedelta(minutes=n)}","{n}"' for n in (3, 1, 0, 2)]
        rows[2:2] = ['"cut","n"', '"","","",""', '"odd"x,"n","",""']
        path = tmp_path / "wandb_export.csv"
        path.write_text("\r\n".join(['"ID","Name","Created","lr"', *rows, ""]))
        source = ExportSource(path, clock=clock, home="team/proj")
        yield source
        source.close()

    @pytest.fixture
    def lost(self) -> list[str]:
        return ["line 4", "line 5", "line 6"]


class TestWrite:
    """What is written is read as it was."""

    def test_every_field(self, tmp_path: Path) -> None:
        blank = Run(Scope("", "", ""), "")
        assert not [
            field.name for field in fields(Run) if getattr(FULL, field.name) == getattr(blank, field.name)
        ]
        path = tmp_path / "runs.jsonl"
        assert write(path, [FULL, builders.run(1)]) == 2
        assert listed(path, Query(machine=True)) == [FULL, builders.run(1)]
        assert listed(path) == [replace(FULL, machine=""), builders.run(1)]

    def test_what_the_file_looks_like(self, tmp_path: Path) -> None:
        """UTF-8, our own names, only what differs from the defaults, ISO times."""
        path = tmp_path / "runs.jsonl"
        write(
            path, [Run(SCOPE, "ä", created=BEGIN.astimezone(timezone(timedelta(hours=9))), config={"n": 1})]
        )
        header, line = path.read_text(encoding="utf-8").splitlines()
        assert json.loads(header) == {"format": "runsheet runs", "version": 1}
        assert '"ä"' in line
        assert json.loads(line) == {
            "scope": {"source": "wandb", "host": "api.wandb.ai", "project": "team/proj"},
            "id": "ä",
            "created": "2026-01-01T09:00:00+09:00",
            "config": {"n": 1},
        }

    @given(
        st.dictionaries(
            st.text(max_size=4),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
                ),
                max_leaves=6,
            ),
            max_size=4,
        ),
        st.text(st.characters(), min_size=1, max_size=5),
    )
    def test_every_value_comes_back(self, values: dict[str, Any], text: str) -> None:
        run = Run(Scope("s", "h", text), text, name=text, config=values, summary=values)
        line = lines.encode(run)
        assert line.count(b"\n") == 1
        assert repr(lines.decode(line)) == repr(run)

    def test_an_empty_export(self, tmp_path: Path) -> None:
        path = tmp_path / "runs.jsonl"
        assert write(path, []) == 0
        assert listed(path) == []

    @pytest.mark.parametrize("kind", [ServiceError, KeyboardInterrupt, Stopped])
    def test_a_listing_that_fails_leaves_the_file_as_it_was(
        self, tmp_path: Path, kind: type[BaseException]
    ) -> None:
        path = tmp_path / "runs.jsonl"
        write(path, runs(2))
        before = path.read_bytes()

        def broken() -> Iterator[Run]:
            yield builders.run(7)
            raise kind

        with pytest.raises(kind):
            write(path, broken())
        assert path.read_bytes() == before
        assert [*tmp_path.iterdir()] == [path]

    def test_a_value_that_is_no_json_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(ServiceError, match="team/proj/odd cannot be saved"):
            write(tmp_path / "runs.jsonl", [builders.run("odd", config={"a": b"bytes"})])
        assert not [*tmp_path.iterdir()]

    def test_a_folder_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(ServiceError, match=r"cannot write the runs to .*no/runs"):
            write(tmp_path / "no" / "runs", [])

    def test_who_may_read_it(self, tmp_path: Path) -> None:
        """This account only, until somebody allows more; a link stays one."""
        path, link = tmp_path / "runs.jsonl", tmp_path / "link"
        write(path, [])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o640)
        link.symlink_to(path)
        write(link, runs(1))
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert link.is_symlink()
        assert len(listed(path)) == 1


class TestRead:
    """A file of ours, whatever happened to it."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "runs.jsonl"
        write(path, [*runs(2), *runs(1, "team/b"), *runs(1, "x/proj"), builders.run(2)])
        return path

    def test_projects_come_in_the_order_of_the_file(self, path: Path) -> None:
        found = [(item.scope.project, item.id) for item in listed(path) if isinstance(item, Run)]
        assert found == [("team/proj", f"run000{n}") for n in range(3)] + [
            ("team/b", "run0000"),
            ("x/proj", "run0000"),
        ]

    @pytest.mark.parametrize(
        ("wanted", "projects"),
        [
            ((), ("team/proj", "team/b", "x/proj")),
            (("team/b",), ("team/b",)),
            (("proj",), ("team/proj", "x/proj")),
            (("team/b", "none/such"), ("team/b",)),
        ],
        ids=str,
    )
    def test_only_some_projects(self, path: Path, wanted: tuple[str, ...], projects: tuple[str, ...]) -> None:
        source = ExportSource(path, clock=Clock(), projects=wanted)
        assert source.projects() == projects
        source.close()

    def test_none_of_the_projects(self, path: Path) -> None:
        with pytest.raises(
            NotFound, match="holds no runs of a/b, c; it holds those of team/proj, team/b, x/proj"
        ):
            listed(path, projects=("c", "a/b"))

    def test_files_may_be_joined(self, path: Path) -> None:
        """A run that both hold comes once."""
        path.write_bytes(path.read_bytes() * 2)
        found, skips = split(iter(listed(path)))
        assert len(found) == 5
        assert {(skip.what, skip.count) for skip in skips} >= {
            ("team/proj/run0000", 0),
            ("x/proj/run0000", 0),
        }
        assert len(skips) == 5

    def test_equal_ids_of_two_servers(self, tmp_path: Path) -> None:
        both = [builders.run(1), builders.run(1, scope=Scope("wandb", "wandb.lan", "team/proj"))]
        write(tmp_path / "f", both)
        assert listed(tmp_path / "f") == both

    def test_other_programs_may_have_written_the_lines_anew(self, path: Path) -> None:
        """Such as jq, which takes the spaces out; or an editor that puts a mark at the begin."""
        whole = listed(path)
        text = [json.loads(line) for line in path.read_text().splitlines()]
        packed = "\r\n".join(json.dumps(line, separators=(",", ":")) for line in text)
        path.write_text("\ufeff" + packed)
        assert listed(path) == whole

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b'{"scope"', "no run"),
            (b"\xff\xfe", "no run"),
            (b"[" * 100_000, "no run"),
            (b'{"scope": {"source": "s", "host": "h"}, "id": "a"}', "no run"),
            (b'{"scope": {"source": "s", "host": "h", "project": 7}, "id": "a"}', "no run"),
            (b'{"scope": [], "id": "a"}', "no run"),
            (b'{"id": "a", "scope": {}}', "scope does not stand first"),
            (b'HEAD, "id": "a", "name": "\xff"}', "no JSON"),
            (b'HEAD, "id": "a"', "no JSON"),
            (b"HEAD}", "id is missing"),
            (b'HEAD, "id": 7}', "a int where a str is expected"),
            (b'HEAD, "id": "a", "runtime": "5"}', "a str where a float"),
            (b'HEAD, "id": "a", "runtime": true}', "a bool where a float"),
            (b'HEAD, "id": "a", "gpus": 1.5}', "a float where a int"),
            (b'HEAD, "id": "a", "config": []}', "a list where a dict"),
            (b'HEAD, "id": "a", "tags": [1]}', "a int where a str"),
            (b'HEAD, "id": "a", "created": "2026-01-01"}', "a time without a zone"),
            (b'HEAD, "id": "a", "created": "soon"}', "Invalid isoformat"),
            (b'HEAD, "id": "a", "config": {"x": ' + b"[" * 100_000 + b"}}", "nested too deeply"),
        ],
        ids=lambda value: str(value)[:60],
    )
    def test_a_damaged_line_is_skipped_by_its_number(self, path: Path, line: bytes, reason: str) -> None:
        """And all others come."""
        whole = listed(path)
        head = b'{"scope": {"source": "s", "host": "h", "project": "team/proj"}'
        text = path.read_bytes().splitlines(keepends=True)
        text.insert(2, line.replace(b"HEAD", head) + b"\n")
        path.write_bytes(b"".join(text))
        found, skips = split(iter(listed(path)))
        assert found == whole
        assert [skip.what for skip in skips] == [f"{path}, line 3"]
        assert reason in skips[0].reason

    def test_a_file_that_was_cut(self, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-20])
        found, skips = split(iter(listed(path)))
        assert len(found) == 4
        assert [skip.what for skip in skips] == [f"{path}, line 6"]

    def test_nothing_can_be_read(self, path: Path) -> None:
        path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n{\n{\n")
        with pytest.raises(ConfigError, match="none of its runs can be read"):
            listed(path)

    @pytest.mark.parametrize("version", [2, "1", None])
    def test_another_version(self, path: Path, version: Any) -> None:
        path.write_text(json.dumps({"format": "runsheet runs", "version": version}))
        with pytest.raises(ConfigError, match="another version of runsheet"):
            listed(path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"\n", b"a,b\n1,2\n", b"[]\n", b"{}\n", b"\xff\xfe\x00", b"\x00" * 99, b"[" * 99_999, b'"Name'],
        ids=lambda content: repr(content[:9]),
    )
    def test_no_export(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(ConfigError, match=r"is no export of runs: expected") as caught:
            listed(tmp_path / "f")
        assert "\n" not in str(caught.value)

    def test_it_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="there is no export"):
            listed(tmp_path / "f")
        with pytest.raises(ServiceError, match="cannot be read"):
            listed(tmp_path)

    def test_it_must_not_be_read(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refused)
        with pytest.raises(AccessError, match="Permission denied"):
            listed(path)

    def test_a_new_version_of_the_file_does_not_mix_with_the_old_one(self, path: Path) -> None:
        source = ExportSource(path, clock=Clock())
        listing = source.runs("team/proj", Query())
        first = next(listing)
        write(path, [FULL] * 3)
        assert [first, *listing] == [*runs(2), builders.run(2)]
        source.close()

    def test_filters_are_refused(self, path: Path) -> None:
        with pytest.raises(ConfigError, match="FILTERS"):
            listed(path, Query(filters={"state": "finished"}))


HEADER = (
    '"Name","ID","State","Notes","User","Tags","Created","Runtime","Sweep","Group","Job Type","GPU Count"'
)


class TestCsv:
    """What W&B's page saves."""

    def table(self, tmp_path: Path, *text: str, **options: Any) -> list[Run | Skip]:
        path = tmp_path / "wandb_export_2026.csv"
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        return listed(path, **options)

    def test_every_column(self, tmp_path: Path) -> None:
        found = self.table(
            tmp_path,
            HEADER + ',"optimizer.lr","loss","model","loss",""',
            '"=1+1","007","finished","two\nlines ""x""","ann","a, b","2026-01-01T00:00:00.000Z","12.5","sw",'
            '"g","train","8","1e-05","3","resnet","0.5","y"',
            '"b","1e5","Crashed","","","","2026-01-02T00:00:00","","","","","","","","","",""',
            home="team/proj",
        )
        assert found == [
            Run(
                SCOPE,
                "007",
                name="=1+1",
                notes='two\nlines "x"',
                created=BEGIN,
                runtime=12.5,
                user="ann",
                tags=("a", "b"),
                group="g",
                job_type="train",
                sweep="sw",
                timed=True,
                gpus=8,
                config={
                    "optimizer.lr": 1e-05,
                    "loss": 3,
                    "model": "resnet",
                    "loss (2)": 0.5,
                    "column 17": "y",
                },
            ),
            Run(SCOPE, "1e5", name="b", state="crashed", created=BEGIN + timedelta(days=1)),
        ]

    @pytest.mark.parametrize(
        ("cell", "value"),
        [
            ("3", 3),
            ("-3", -3),
            ("0", 0),
            ("3.0", 3.0),
            (".5", 0.5),
            ("-1.5e-7", -1.5e-07),
            ("1E3", 1000.0),
            (" 3 ", 3),
            ("9" * 20, 10**20 - 1),
            ("007", "007"),
            ("1_000", "1_000"),
            ("1,5", "1,5"),
            ("+5", "+5"),
            ("1e999", "1e999"),
            ("9" * 5000, "9" * 5000),
            ("NaN", "NaN"),
            ("Infinity", "Infinity"),
            ("true", "true"),
            ("e5", "e5"),
            (".", "."),
            ("٣", "٣"),
            ("-", "-"),
            ("=1+1", "=1+1"),
            (" x ", " x "),
        ],
        ids=lambda value: str(value)[:10],
    )
    def test_numbers_are_numbers(self, cell: str, value: Any) -> None:
        found = web_table.value(cell)
        assert (found, type(found)) == (value, type(value))

    def test_without_ids_the_name_is_the_id_and_doubles_are_named(self, tmp_path: Path) -> None:
        """And such runs are not W&B's own, whatever their home: their ids are others."""
        found, skips = split(
            iter(self.table(tmp_path, "Name,lr", "a,1", "b,2", "a,3", ",4", home="team/proj"))
        )
        assert [(run.scope, run.id, run.config) for run in found] == [
            (Scope("export", "", "team/proj"), "a", {"lr": 1}),
            (Scope("export", "", "team/proj"), "b", {"lr": 2}),
        ]
        assert [(skip.what.rpartition(", ")[2], skip.reason, skip.count) for skip in skips] == [
            ("line 4", "another row is called a", 1),
            ("line 5", "it has neither an id nor a name", 1),
        ]

    def test_without_a_home_the_file_is_the_project(self, tmp_path: Path) -> None:
        (run,) = self.table(tmp_path, "ID", "a", projects=("team/other",))
        assert isinstance(run, Run)
        assert run.scope == Scope("export", "", "wandb_export_2026")

    def test_of_a_server_of_ones_own(self, tmp_path: Path) -> None:
        (run,) = self.table(tmp_path, "ID", "a", home="team/proj", host="wandb.lan")
        assert isinstance(run, Run)
        assert run.scope == Scope("wandb", "wandb.lan", "team/proj")

    @pytest.mark.parametrize(
        ("column", "cell", "reason"),
        [
            ("Runtime", "1h 2m", "Runtime is no number"),
            ("Runtime", "-5", "Runtime is no number"),
            ("GPU Count", "many", "GPU Count is no number"),
            ("Created", "yesterday", "Created is not a time"),
            ("Created", "0001-01-01T00:00:00+14:00", "Created is not a time"),
        ],
    )
    def test_an_odd_cell_is_said_and_the_run_is_there(
        self, tmp_path: Path, column: str, cell: str, reason: str
    ) -> None:
        found, skips = split(iter(self.table(tmp_path, f"ID,{column}", f"a,{cell}")))
        assert [(run.id, run.runtime, run.timed, run.gpus, run.created) for run in found] == [
            ("a", None, False, None, None)
        ]
        assert [(skip.count, reason in skip.reason) for skip in skips] == [(0, True)]

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (b"a", "1 cells for 2 columns"),
            (b"a,1,2", "3 cells for 2 columns"),
            (b'"a"b,1', "no CSV"),
            (b"a,\xff", "not UTF-8"),
        ],
        ids=str,
    )
    def test_a_damaged_row_is_skipped(self, tmp_path: Path, row: bytes, reason: str) -> None:
        path = tmp_path / "f.csv"
        path.write_bytes(b'\xef\xbb\xbfID,lr\n"x\n",1\n' + row + b"\n\ny,2\n")
        found, skips = split(iter(listed(path)))
        assert [run.id for run in found] == ["x", "y"]
        assert [(skip.what, skip.reason) for skip in skips] == [(f"{path}, line 4", reason)]

    def test_a_quote_that_never_ends(self, tmp_path: Path) -> None:
        (tmp_path / "f.csv").write_bytes(b'ID,lr\nx,1\n"y,2\nz,3')
        found, skips = split(iter(listed(tmp_path / "f.csv")))
        assert [run.id for run in found] == ["x"]
        assert [skip.reason for skip in skips] == ["no CSV"]

    def test_large_cells(self, tmp_path: Path) -> None:
        (run,) = self.table(tmp_path, "ID,long", f"a,{'x' * 200_000}")
        assert isinstance(run, Run)
        assert len(run.config["long"]) == 200_000


class TestWiring:
    """As `--source export:FILE`."""

    def setup(self, spec: str, *flags: str, host: str = "", **config: Any) -> backends.Setup:
        return backends.Setup(Config(**config), Clock(), {}, projects=flags, source=spec, host=host)

    @pytest.mark.parametrize("spec", ["export", "export:"])
    def test_it_needs_a_file(self, spec: str) -> None:
        with pytest.raises(ConfigError, match="export needs a file"):
            backends.source(self.setup(spec))

    def test_projects_by_flag_and_by_config(self, tmp_path: Path) -> None:
        write(tmp_path / "f", [*runs(1), *runs(1, "team/b")])
        for setup in (
            self.setup(f"export:{tmp_path}/f", "team/b"),
            self.setup(f"export:{tmp_path}/f", TEAM_NAME="team", PROJECT_NAME="b"),
        ):
            source = backends.source(setup)
            assert source.projects() == ("team/b",)
            source.close()

    @pytest.mark.parametrize(
        ("flags", "host", "scope"),
        [
            (("team/proj",), "", SCOPE),
            (("team/proj",), "wandb.lan:8080", Scope("wandb", "wandb.lan:8080", "team/proj")),
            (("team/proj",), "https://api.wandb.ai/", SCOPE),
            (("team/proj", "team/b"), "", Scope("export", "", "f")),
            ((), "", Scope("export", "", "f")),
        ],
        ids=str,
    )
    def test_a_csv_is_of_the_project_on_the_command_line(
        self, tmp_path: Path, flags: tuple[str, ...], host: str, scope: Scope
    ) -> None:
        """That of config.json is too easily another one's."""
        (tmp_path / "f.csv").write_text("ID\na\n")
        setup = self.setup(f"export:{tmp_path}/f.csv", *flags, host=host, TEAM_NAME="t", PROJECT_NAME="p")
        source = backends.source(setup)
        (project,) = source.projects()
        assert [*source.runs(project, Query())] == [Run(scope, "a")]
        source.close()


class TestSheet:
    """A sheet that was filled from elsewhere knows the runs again."""

    @pytest.fixture
    def sheet(self) -> MemorySheet:
        """A sheet with the runs of the source `wandb`."""
        sheet = MemorySheet()
        builders.tick(MemoryDestination(sheet), runs(5))
        assert len(sheet.rows) == 6
        return sheet

    def test_an_export_doubles_nothing(self, sheet: MemorySheet, tmp_path: Path) -> None:
        """What is new in it is added, also of another project."""
        write(tmp_path / "f", [*runs(5), builders.run(7), *runs(1, "team/b")])
        assert [self.tick(sheet, tmp_path / "f").added for _ in range(2)] == [2, 0]
        assert self.ids(sheet) == [*(f"run000{n}" for n in range(5)), "run0007", "run0000"]

    def test_nor_does_w_and_b_after_the_export(self, sheet: MemorySheet, tmp_path: Path) -> None:
        new = MemorySheet()
        write(tmp_path / "f", runs(5))
        assert self.tick(new, tmp_path / "f").added == 5
        assert new.rows == sheet.rows
        assert builders.tick(MemoryDestination(new), runs(6)).added == 1

    def test_nor_does_a_csv_with_ids_of_a_project_that_is_named(
        self, sheet: MemorySheet, tmp_path: Path
    ) -> None:
        path = tmp_path / "f.csv"
        path.write_text("ID,Name,lr,model.name\nrun0000,x,1,a\nrun0001,y,2,b\nrun0009,z,3,c\n")
        assert self.tick(sheet, path, home="team/proj").added == 1
        row = dict(zip(sheet.rows[0], sheet.rows[-1], strict=False))
        assert (row["run_id"], row["lr"], row["model.name"]) == ("run0009", 3, "c")
        assert len(self.ids(sheet)) == 6

    @staticmethod
    def tick(sheet: MemorySheet, path: Path, **options: Any) -> Report:
        clock = builders.FakeClock()
        source = ExportSource(path, clock=clock, **options)
        try:
            return sync.tick(source, MemoryDestination(sheet), builders.rules(), Query(), clock)
        finally:
            source.close()

    @staticmethod
    def ids(sheet: MemorySheet) -> list[Any]:
        place = sheet.rows[0].index("run_id")
        return [row[place] for row in sheet.rows[1:]]
