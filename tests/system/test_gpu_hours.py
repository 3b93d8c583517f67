"""The command gpu-hours in a process of its own: W&B by the real client, run folders, an export.

Mutants that were tried, each seen to fail: GPU counts not asked for; the local clock instead of UTC; dates
in the zone of this machine; a project without runs left out; the total of a listing that is not whole; runs
of other entities counted.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runsheet import model
from runsheet.sources import export
from tests.support import forks
from tests.support.offline_runs import RUNS, offline_directory
from tests.support.wandb import Run, iso
from tests.support.wandb.data import config_text
from tests.support.world import ROOT, World

__all__ = ["offline_directory"]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.fixture
def world(bare: World) -> World:
    return bare


def ran(name: str, hours: float, world_size: Any = None, **more: Any) -> Run:
    """A run of so many hours from START on, as W&B tells it."""
    created, heartbeat = more.pop("created", START), more.pop("heartbeat", START + hours * HOUR)
    config = more.pop("config", {} if world_size is None else {"dist/world_size": world_size})
    return Run(
        name,
        display_name=f"name of {name}",
        created_at=iso(created),
        heartbeat_at=iso(heartbeat) if heartbeat else None,
        config=config_text(config),
        **more,
    )


def six() -> list[Run]:
    """The runs of H1."""
    now = datetime.now(UTC)
    return [
        ran("a", 10, 4),
        ran("b", 5),
        ran("c", 30 / 3600, 2, summary='{"_runtime": 7200}'),
        ran("d", 6, 1, state="running", created=now - 3 * DAY - 6 * HOUR, heartbeat=now - 3 * DAY),
        ran("e", 1, 8, state="running", created=now - HOUR, heartbeat=now),
        ran("f", 3, config={"dist/accelerator": "CPU"}),
    ]


def told(world: World, *flags: str, code: int = 0, **env: str) -> list[str]:
    """The lines of the command, those on stderr among them. A process that is forked keeps its time zone."""
    start = world.run if "TZ" in env else partial(forks.run, world)
    done = start("gpu-hours", *flags, **env)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    return said.splitlines()


PROJ = ("--entity", "team", "--project", "proj")


class TestWandb:
    def test_h1(self, world: World) -> None:
        """As `python wandb_spreadsheet_sync.py gpu-hours`, with the flags of the first script."""
        world.wandb.add("team", "proj", *six())
        flags = ("--host", world.wandb.url, "--world_size_config", "dist/world_size")
        done = forks.run(world, "gpu-hours", *PROJ, *flags, apart=True)
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        last = datetime.now(UTC) - 3 * DAY
        assert lines.pop(5).startswith(f"statistics from 2026-01-10 to {last:%Y-%m-}")
        assert lines == [
            f"host: {world.wandb.url}",
            "entity: team",
            "project: proj",
            "world_size_config: dist/world_size",
            "default_world_size: 0",
            "num_runs: 5",
            "GPU num_runs: 4",
            "num_runs in progress: 1",
            "num_runs stuck: 1",
            "total: 2 days 2 hours",
            "GPU-hours: 50",
            "GPU-hours per run: 12.50",
            "CPU num_runs: 1",
            "CPU total: 0 days 3 hours",
            "CPU-hours: 3",
            "CPU-hours per run: 3.00",
            "runs without world size: 1",
            "top 3 runs:",
            "- 40 hours: a name of a",
            "- 6 hours: d name of d",
            "- 4 hours: c name of c",
        ]

    def test_h2(self, world: World) -> None:
        world.wandb.add("team", "proj", *six())
        lines = told(world, *PROJ, "--default_world_size", "1")
        assert {"total: 2 days 7 hours", "GPU-hours: 55", "GPU-hours per run: 13.75"} < set(lines)

    def test_h3_the_sample_of_the_first_script(self, world: World) -> None:
        """842 runs of 58,705,200 GPU-seconds, line by line."""
        first, last = datetime(2023, 5, 13, tzinfo=UTC), datetime(2023, 6, 26, tzinfo=UTC)
        each, rest = divmod(58_705_200 // 4, 842)
        for number in range(842):
            hours = timedelta(seconds=each + (number < rest)) / HOUR
            created = last - hours * HOUR if number else first
            one = ran(f"r{number:03d}", hours, 4, created=created, heartbeat=created + hours * HOUR)
            world.wandb.add("team", "proj", one)
        assert told(world, *PROJ)[:11] == [
            f"host: {world.wandb.url}",
            "entity: team",
            "project: proj",
            "world_size_config: dist/world_size",
            "default_world_size: 0",
            "statistics from 2023-05-13 to 2023-06-26 (44 days)",
            "num_runs: 842",
            "total: 679 days 11 hours",
            "GPU-hours: 16307",
            "GPU-hours per run: 19.37",
            "top 10 runs:",
        ]

    def test_h4_and_the_dates(self, world: World) -> None:
        bound = datetime(2026, 2, 15, tzinfo=UTC)
        world.wandb.add("team", "proj", ran("a", 1, 4, created=bound - HOUR, heartbeat=bound))
        before = told(world, *PROJ, "--startdate", "2026-01-15", "--enddate", "2026-02-15", TZ="Asia/Seoul")
        after = told(world, *PROJ, "--startdate", "2026-02-15", TZ="Asia/Seoul")
        assert before[5:9] == [
            "startdate: 2026-01-15",
            "enddate: 2026-02-15",
            "statistics from - to - (0 days)",
            "num_runs: 0",
        ]
        assert "num_runs after 2026-02-15: 1" in before
        assert {"num_runs: 1", "GPU-hours: 4"} < set(after)

    def test_h5_what_the_first_script_did_not_survive(self, world: World) -> None:
        world.wandb.project("team", "proj")
        empty = told(world, *PROJ)
        assert empty[-4:] == [
            "num_runs: 0",
            "total: 0 days 0 hours",
            "GPU-hours: 0",
            "GPU-hours per run: 0.00",
        ]
        fine = ran("a", 10, "4")
        fine.created_at, fine.heartbeat_at = "2026-01-10T00:00:00.123Z", "2026-01-10T10:00:00.123Z"
        world.wandb.add("team", "proj", fine, ran("b", 0, 2, heartbeat=None, summary='{"_runtime": 3600}'))
        lines = told(world, *PROJ)
        assert {"num_runs: 2", "GPU-hours: 42", "runs flagged: 1", "- b: no heartbeat"} < set(lines)

    def test_h6_the_zone_of_this_machine_does_not_matter(self, world: World) -> None:
        """A day without a sign of life is one of 24 hours anywhere."""
        now, minutes = datetime.now(UTC), timedelta(minutes=10)
        for name, silent in (("late", DAY + minutes), ("live", DAY - minutes)):
            beat = now - silent
            world.wandb.add(
                "team", "proj", ran(name, 6, 1, state="running", created=beat - 6 * HOUR, heartbeat=beat)
            )
        for zone in ("Asia/Seoul", "America/Los_Angeles"):
            lines = told(world, *PROJ, TZ=zone)
            assert {"num_runs: 1", "num_runs in progress: 1", "num_runs stuck: 1", "GPU-hours: 6"} < set(
                lines
            )

    def test_a_request_for_each_page_of_runs_and_two_more(self, world: World) -> None:
        """None for each run: config, times and GPU counts come with the listing."""
        world.wandb.add_runs("team", "proj", 2300)
        assert "num_runs: 2300" in told(world, *PROJ)
        assert len(world.wandb.requests) <= 3 + 2

    def test_gpus_by_metadata(self, world: World) -> None:
        """Where no key tells; a key of one's own is the only one that is looked at."""
        runs = [ran("a", 1, gpu_count=8), ran("b", 1, config={"num_gpus": 2}, gpu_count=8), ran("c", 1, 1)]
        world.wandb.add("team", "proj", *runs)
        lines = told(world, *PROJ)
        assert "GPU-hours: 11" in lines
        assert "runs with world size by metadata: 1" in lines
        assert "runs with world size by config num_gpus: 1" in lines
        assert "GPU-hours: 17" in told(world, *PROJ, "--world_size_config", "dist/world_size")

    def test_several_projects(self, world: World) -> None:
        """Named, or all of the entity; each for itself, and in all. One without runs is shown, too."""
        world.wandb.add("team", "a", ran("x", 1, 4))
        world.wandb.add("team", "b", ran("y", 2, 4))
        world.wandb.project("team", "none")
        wanted = {"project: a": "4", "project: b": "8", "project: none": "0", "all 3 projects": "12"}
        every = told(world, "--entity", "team", "--project", "*")
        named = told(world, *(flag for name in ("a", "b", "none") for flag in ("--project", f"team/{name}")))
        for lines in (every, named):
            heads = [line for line in lines if line.startswith(("project:", "all"))]
            sums = [line.removeprefix("GPU-hours: ") for line in lines if line.startswith("GPU-hours:")]
            assert dict(zip(heads, sums, strict=True)) == wanted
        assert every == named

    def test_config_json_says_whose_and_how(self, world: World) -> None:
        world.wandb.add("team", "proj", ran("a", 1, config={"mine": 2}), ran("b", 1))
        keys = {
            "TEAM_NAME": "team",
            "PROJECT_NAME": "proj",
            "WORLD_SIZE_KEYS": ["mine"],
            "DEFAULT_WORLD_SIZE": 1,
        }
        (world.folder / "config.json").write_text(json.dumps(keys))
        assert "GPU-hours: 3" in told(world)
        assert "GPU-hours: 2" in told(world, "--default_world_size", "0")

    def test_formats(self, world: World) -> None:
        world.wandb.add("team", "proj", *six())
        found = json.loads("\n".join(told(world, *PROJ, "--format", "json", "--by", "state")))
        assert found["total"]["gpu_hours"] == 50
        assert {group["name"]: group["num_runs"] for group in found["total"]["groups"]} == {
            "finished": 4,
            "running": 1,
        }
        header, row = told(world, *PROJ, "--format", "csv")
        assert dict(zip(header.split(","), row.split(","), strict=True))["gpu_hours"] == "50.0"

    def test_explain(self, world: World) -> None:
        world.wandb.add("team", "proj", *six())
        lines = told(world, *PROJ, "--explain", "c")
        assert lines[0] == "run c (name of c) of team/proj, finished"
        assert lines[-2:] == ["GPU-hours: 2.00 hours x 2 = 4.00", "counted: yes"]
        assert "by its own clock: 7200 s" in lines
        (sentence,) = told(world, *PROJ, "--explain", "zz", code=1)
        assert sentence.endswith("there is no run with the id 'zz' among 6 runs")

    def test_a_run_that_cannot_be_read_is_named_and_the_others_count(self, world: World) -> None:
        bad = ran("bad", 1)
        bad.config = "{"
        world.wandb.add("team", "proj", bad, ran("a", 1, 4))
        done = forks.run(world, "gpu-hours", *PROJ, apart=True)
        assert "GPU-hours: 4" in done.stdout
        assert "bad" in done.stderr
        assert "bad" not in done.stdout

    def test_a_listing_that_is_not_whole_has_no_total(self, world: World) -> None:
        """W&B repeats a page, and what comes behind it never comes."""
        world.wandb.add_runs("team", "proj", 2300)
        world.wandb.script.stuck = True
        lines = told(world, *PROJ, "--save", "runs.jsonl", code=1)
        assert "of 2300 runs did not come" in lines[-1]
        assert not [line for line in lines if line.startswith("num_runs")]
        assert not (world.folder / "runs.jsonl").exists()

    def test_what_was_saved_tells_the_same(self, world: World) -> None:
        """`--save` keeps whole runs, so that another key may be tried on them without W&B."""
        runs = [*six(), ran("g", 1, config={"mine": 3})]
        world.wandb.add("team", "proj", *runs)
        live = told(world, *PROJ, "--by", "user", "--save", "runs.jsonl")
        world.wandb.requests.clear()
        assert told(world, "--source", "export:runs.jsonl", "--by", "user") == live
        assert "GPU-hours: 3" in told(world, "--source", "export:runs.jsonl", "--world_size_config", "mine")
        assert not world.wandb.requests
        elsewhere = told(world, "--source", "export:runs.jsonl", "--host", "https://wandb.example")
        assert f"host: https://{world.wandb.host}/" in elsewhere, "not the one that is named"


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (("--project", "team/nothing"), 1, "team/nothing"),
        (("--project", "*"), 2, "name it with --entity"),
        ((), 2, "no W&B project is named"),
        (("--startdate", "soon"), 2, "'soon' does not match"),
        ((*PROJ, "--startdate", "2026-02-01", "--enddate", "2026-01-01"), 2, "is before --startdate"),
        ((*PROJ, "--by", "colour"), 2, "'colour' is not one of"),
        ((*PROJ, "--default_world_size", "-1"), 2, "-1 is not in the range"),
        ((*PROJ, "--source", "csv"), 2, "there is no 'csv'"),
        ((*PROJ, "--config_path", "nowhere.json"), 2, "nowhere.json"),
        ((*PROJ, "--host", "http://127.0.0.1:9"), 1, "127.0.0.1:9"),
    ],
)
def test_errors_are_one_sentence(world: World, flags: tuple[str, ...], code: int, says: str) -> None:
    world.wandb.project("team", "proj")
    assert says in "\n".join(told(world, *flags, code=code))


def documented() -> list[model.Run]:
    """The runs of the example in the README."""
    scope, now = model.Scope("wandb", "api.wandb.ai", "my-team/my-project"), datetime.now(UTC)

    def one(name: str, title: str, user: str, day: int, hours: float, **more: Any) -> model.Run:
        start = datetime(2026, 10, day, 8, tzinfo=UTC)
        times = {"created": start, "heartbeat": start + hours * HOUR, "runtime": hours * 3600}
        return model.Run(scope, name, **{"name": title, "user": user, "timed": True} | times | more)

    def sized(size: int) -> dict[str, Any]:
        return {"config": {"dist/world_size": size}}

    devices = {"config": {"trainer": {"devices": 8, "num_nodes": 2}}}
    live = {"state": "running", "created": now - 4 * HOUR, "heartbeat": now}
    return [
        one("k3v9x2ab", "vit-l pretrain", "kim", 3, 167.5, **sized(16)),
        one("p0m4c7de", "vit-b pretrain", "kim", 8, 71.25, **sized(8)),
        one("t8z1q5fg", "unet sweep 1", "lee", 12, 18.4, **sized(1)),
        one("a2n6w0hi", "unet sweep 2", "lee", 13, 20.9, state="crashed", **sized(1)),
        one("y7d3r9jk", "llm-7b sft", "park", 20, 52.1, **devices),
        one("e5b8s1lm", "eval", "park", 24, 2.6, gpus=4),
        one("q4h2u6no", "preprocess", "lee", 25, 9.3, config={"dist/accelerator": "cpu"}),
        one("c9f0j3pq", "debug", "kim", 26, 0.7),
        one("g1l5x8rs", "llm-7b dpo", "park", 30, 4, **live, **sized(16)),
    ]


@pytest.mark.parametrize("page", ["README.md", "README.ko.md"])
def test_the_example_in_the_documentation_is_real(world: World, page: str) -> None:
    """Its call, but for the source, gives the lines below it; so does --explain."""
    export.write(world.folder / "runs.jsonl", documented())
    text = (ROOT / page).read_text(encoding="utf-8").partition("\n## GPU-hours\n")[2]
    (call,) = re.findall(r"sync\.py gpu-hours (.*)", text)
    shown, explained = re.findall(r"^```text\n(.*?)^```$", text, flags=re.M | re.S)[:2]
    (explain,) = re.findall(r"^- `(--explain \w+)`", text, flags=re.M)
    source = ("--source", "export:runs.jsonl")
    assert told(world, *call.split(), *source, WANDB_BASE_URL="") == shown.splitlines()
    assert told(world, *explain.split(), *source) == explained.splitlines()


class TestFolders:
    def test_run_folders_without_an_account(self, world: World, offline_directory: Path) -> None:
        """Projects as the folders tell them; no host, and nothing is asked of a service."""
        lines = told(world, "--source", f"folders:{offline_directory}", "--default_world_size", "1")
        assert lines[0] == "world_size_config: dist/world_size"
        assert [line for line in lines if line.startswith(("project:", "all"))] == [
            "project: speech",
            "project: vision",
            "all 2 projects",
        ]
        assert not world.wandb.requests

    def test_all_of_them(self, world: World, offline_directory: Path) -> None:
        """The killed one may still pass for running: W&B, too, waits for five minutes."""
        flags = ("--source", f"folders:{offline_directory}", "--default_world_size", "1", "--format", "json")
        total = json.loads("\n".join(told(world, *flags)))["total"]
        assert total["num_runs"] + total["in_progress"] == len(RUNS)
        assert total["world_size_from"] == {"default": total["num_runs"]}
        assert total["gpu_hours"] > 0

    def test_one_of_their_projects(self, world: World, offline_directory: Path) -> None:
        """Whatever the entity, where the folders do not know it."""
        flags = ("--source", f"folders:{offline_directory}", "--project", "speech")
        assert "num_runs: 1" in told(world, *flags)
        assert "num_runs: 1" in told(world, *flags, "--entity", "team")
        assert "all 2 projects" in told(world, *flags[:2], "--entity", "team", "--project", "*")

    def test_runs_of_another_entity_are_counted_out(self, world: World) -> None:
        """Those of an export tell theirs."""
        world.wandb.add("team", "proj", ran("a", 1, 4))
        world.wandb.add("other", "proj", ran("b", 1, 2))
        told(world, "--project", "team/proj", "--project", "other/proj", "--save", "x.jsonl")
        lines = told(world, "--source", "export:x.jsonl", "--entity", "other")
        assert "GPU-hours: 2" in lines
        assert "1 runs of other entities than other are left out" in lines

    def test_a_folder_without_runs(self, world: World) -> None:
        lines = told(world, "--source", "folders:.")
        assert lines[-4:] == [
            "num_runs: 0",
            "total: 0 days 0 hours",
            "GPU-hours: 0",
            "GPU-hours per run: 0.00",
        ]
