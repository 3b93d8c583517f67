"""config.json: everything that is wrong is said at once, with what was expected; no secret is shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from runsheet import config
from runsheet.columns import Header
from runsheet.config import Config, Typed
from runsheet.errors import ConfigError
from runsheet.fields import COMPUTED
from runsheet.reports.usage import Settings

ROOT = Path(__file__).parents[2]


def problems(**content: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as raised:
        config.parse(json.dumps(content))
    return {problem.key: problem.text for problem in raised.value.problems}


def good(**content: Any) -> Config:
    return config.parse(json.dumps(content))


def test_the_shipped_file_is_valid() -> None:
    """What ships loads, and lacks nothing that a spreadsheet needs."""
    shipped = config.load(str(ROOT / "config.json"), typed=Typed())
    assert Header("learning_rate", "Learning Rate") in shipped.headers


def test_every_field_is_described() -> None:
    """Error messages say what is expected for each key."""
    assert all(field.description for field in Config.model_fields.values())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "number for a text": ({"GCP_JSON": 5}, "expected the path of a Google service-account key file, got 5"),
    "null": ({"NAME": None}, 'expected an object {"W&B user name": "name shown"}, got null'),
    "text for a list": ({"FIXED_HEADERS": "run_id"}, 'got "run_id"'),
    "number in a list": ({"FIXED_HEADERS": ["a", 1]}, "got 1"),
    "number as a key": ({"FIXED_HEADERS": [{"a": 1}]}, "got an object"),
    "empty key": ({"FIXED_HEADERS": [" "]}, "an empty key"),
    "empty header object": ({"FIXED_HEADERS": [{}]}, "an empty key"),
    "key twice": ({"FIXED_HEADERS": ["lr", {"Rate": "lr "}]}, "the key lr stands twice"),
    "title twice": ({"FIXED_HEADERS": [{"X": "a"}, {"X ": "b"}]}, "the title X stands twice"),
    "title of another key": ({"FIXED_HEADERS": ["lr", {"lr": "rate"}]}, "the title lr stands twice"),
    "number for globs": ({"DYNAMIC_HEADERS": 1}, "true, false, or a list of globs"),
    "text for globs": ({"DYNAMIC_HEADERS": "config.*"}, 'got "config.*"'),
    "bool for a number": ({"MAX_COLUMNS": True}, "expected a whole number from 1 to 16384, got true"),
    "fraction": ({"MAX_COLUMNS": 1.5}, "got 1.5"),
    "text for a number": ({"MAX_COLUMNS": "100"}, 'got "100"'),
    "none": ({"MAX_COLUMNS": 0}, "got 0"),
    "empty key of a world size": ({"WORLD_SIZE_KEYS": ["a", ""]}, 'a list of keys of the config, got ""'),
    "half a GPU": ({"DEFAULT_WORLD_SIZE": 0.5}, "a whole number from 0 to 1000000, got 0.5"),
    "less than no GPU": ({"DEFAULT_WORLD_SIZE": -1}, "got -1"),
    "no key": ({"ACCELERATOR_KEY": None}, "expected a key of the config, got null"),
    "unknown report": ({"REPORTS": ["gpu-hours"]}, 'out of GPU-hours; there is no report "gpu-hours"'),
    "a report without a list": ({"REPORTS": "GPU-hours"}, 'got "GPU-hours"'),
    "a report in the way": (
        {"REPORTS": ["GPU-hours"], "WORKSHEET": " gpu-HOURS"},
        "WORKSHEET names the tab GPU-hours, which is the report's",
    ),
    "no room": ({"MAX_COLUMNS": 1, "FIXED_HEADERS": ["a", "b"]}, "there are 2 fixed headers"),
    "unknown state": ({"STATES": ["Finished"]}, 'got "Finished"'),
    "negative hours": ({"SETTLE_HOURS": -1}, "got -1"),
    "bool hours": ({"SETTLE_HOURS": True}, "got true"),
    "endless hours": ({"SETTLE_HOURS": float("inf")}, "got Infinity"),
    "hours beyond a calendar": ({"SETTLE_HOURS": 1e12}, "a number of hours from 0 to 1000000"),
    "no hours": ({"SETTLE_HOURS": float("nan")}, "got NaN"),
    "zone": ({"TIMEZONE": "Seoul"}, 'there is no time zone "Seoul"'),
    "part of a zone": ({"TIMEZONE": "Asia"}, "there is no time zone"),
    "path as a zone": ({"TIMEZONE": "../../etc/passwd"}, "there is no time zone"),
    "long tab title": ({"WORKSHEET": "x" * 101}, "at most 100 characters"),
}


@pytest.mark.parametrize(("content", "text"), WRONG.values(), ids=WRONG)
def test_wrong_values(content: dict[str, Any], text: str) -> None:
    """Each has its key, what was expected and what is there."""
    key = next(iter(content))
    assert text in problems(**content)[key]


def test_all_problems_come_together() -> None:
    """Nobody has to fix them one by one."""
    found = problems(GCP_JSON=1, MAX_COLUMNS="x", SETTLE_HOURS=None, TIMEZONE="?", WORKSHET="a")
    assert set(found) == {"GCP_JSON", "MAX_COLUMNS", "SETTLE_HOURS", "TIMEZONE", "WORKSHET"}


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("fixed_headers", "FIXED_HEADERS"),
        ("FIXED_HEADER", "FIXED_HEADERS"),
        ("PROJECT", "PROJECT_NAME"),
        ("SHEET_NAME", "SPREADSHEET_NAME"),
        ("Timezone", "TIMEZONE"),
    ],
)
def test_unknown_keys_get_a_suggestion(key: str, near: str) -> None:
    """The nearest known key is named."""
    assert problems(**{key: 1})[key] == f"unknown key; did you mean {near}?"


def test_unknown_keys_like_no_other() -> None:
    """All known keys are named where none is near."""
    text = problems(zzzzzz=1)["zzzzzz"]
    assert all(key in text for key in Config.model_fields)


SYNTAX = {
    "comma": ('{\n  "NAME": {},\n}', "line (3, column 1|2, column 13)"),  # Python 3.13 names the comma
    "quote": ("{'NAME': 1}", "line 1, column 2"),
    "empty": ("", "line 1, column 1"),
    "cut": ('{"NAME": {', "line 1, column 11"),
}


@pytest.mark.parametrize(("text", "place"), SYNTAX.values(), ids=SYNTAX)
def test_syntax_errors_name_the_place(text: str, place: str) -> None:
    """Line and column of what is not JSON."""
    with pytest.raises(ConfigError, match=place):
        config.parse(text)


@pytest.mark.parametrize(
    "text",
    ["[]", '"text"', "null", "[" * 200_000, '{"MAX_COLUMNS": ' + "1" * 5_000 + "}", '{"\\ud800": 1}'],
    ids=["list", "text", "null", "brackets", "digits", "surrogate"],
)
def test_what_is_no_configuration_is_an_error(text: str) -> None:
    """Anything else that JSON can be is refused in a sentence."""
    with pytest.raises(ConfigError):
        config.parse(text)


def test_keys_that_stand_twice() -> None:
    """JSON would keep the last without a word; found inside objects too, with everything else."""
    with pytest.raises(ConfigError) as raised:
        config.parse('{"TEAM_NAME": "a", "TEAM_NAME": "b", "NAME": {"kim": "K", "kim": "L"}, "X": 1}')
    texts = [str(problem) for problem in raised.value.problems]
    assert texts[:2] == ["kim: stands twice", "TEAM_NAME: stands twice"]
    assert texts[2].startswith("X: unknown key")


SECRET = "-----BEGIN PRIVATE KEY-----MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"


@pytest.mark.parametrize("value", [[SECRET], {"private_key": SECRET}, [{"private_key": SECRET}]], ids=type)
@pytest.mark.parametrize(
    "key", ["GCP_JSON", "WORKSHEET", "MAX_COLUMNS", "TIMEZONE", "STATES", "API_KEY", "NAME"]
)
def test_secrets_are_not_shown(key: str, value: Any) -> None:
    """P8: a key that somebody pasted into the file is not repeated in the message."""
    for content in (value, SECRET * 2):
        try:
            config.parse(json.dumps({key: content}))
        except ConfigError as error:
            assert "PRIVATE" not in str(error)  # noqa: PT017 - some of these are valid
        else:
            assert key in ("GCP_JSON", "NAME")


HEADERS = {
    "keys and titles": (
        ["run_id", {"Rate": "config.lr"}, {"A": "a", "B": "b"}],
        [("run_id", "run_id"), ("config.lr", "Rate"), ("a", "A"), ("b", "B")],
    ),
    "blanks around": ([" lr ", {" Rate ": " x "}], [("lr", "lr"), ("x", "Rate")]),
    "no title": ([{"": "lr"}], [("lr", "lr")]),
    "none": ([], [(key, key) for key in config.DEFAULT_HEADERS]),
}


@pytest.mark.parametrize(("items", "headers"), HEADERS.values(), ids=HEADERS)
def test_headers(items: list[Any], headers: list[tuple[str, str]]) -> None:
    """A header is a key, or an object of titles and keys."""
    assert [(item.key, item.shown) for item in good(FIXED_HEADERS=items).headers] == headers


@pytest.mark.parametrize(
    ("value", "globs"),
    [(True, ("*",)), (False, ()), ([], ()), (["config.*", "!x"], ("config.*", "!x"))],
    ids=str,
)
def test_dynamic_headers(value: Any, globs: tuple[str, ...]) -> None:
    """true is everything, false nothing, a list says which."""
    assert good(DYNAMIC_HEADERS=value).rules().choice.dynamic == globs


PROJECTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "none": ({}, ()),
    "team alone": ({"TEAM_NAME": "t"}, ()),
    "one": ({"TEAM_NAME": "t", "PROJECT_NAME": "p"}, ("t/p",)),
    "several": ({"TEAM_NAME": "t", "PROJECT_NAME": ["p", "other/q", "", " r "]}, ("t/p", "other/q", "t/r")),
    "no team": ({"PROJECT_NAME": "p"}, ("p",)),
}


@pytest.mark.parametrize(("content", "projects"), PROJECTS.values(), ids=PROJECTS)
def test_projects(content: dict[str, Any], projects: tuple[str, ...]) -> None:
    """PROJECT_NAME is one or a list; TEAM_NAME goes before bare names."""
    assert good(**content).projects == projects


def test_rules() -> None:
    """Users are compared in any case, and a blank one (an unset variable) is no user."""
    rules = good(STATES=["failed"], SETTLE_HOURS=2, NAME={"a": "A"}, MAX_COLUMNS=7).rules(["Kim", " ", ""])
    assert (rules.users, rules.states, rules.settle_hours) == ({"kim"}, {"failed"}, 2)
    assert (rules.names, rules.choice.limit) == ({"a": "A"}, 7)


def test_two_configurations_share_nothing() -> None:
    """Defaults are made anew: changing one configuration's list leaves the next alone."""
    Config().NAME["x"] = "y"
    assert Config().NAME == {}


def test_a_byte_order_mark_is_no_syntax_error(tmp_path: Path) -> None:
    """Windows editors put one at the beginning."""
    path = tmp_path / "c.json"
    path.write_text('{"TEAM_NAME": "팀"}', encoding="utf-8-sig")
    assert config.load(str(path)).TEAM_NAME == "팀"


def test_a_missing_file(tmp_path: Path) -> None:
    """Named as missing, with the way that needs none; or the defaults, where none is needed."""
    path = str(tmp_path / "none.json")
    with pytest.raises(ConfigError, match=r"--source folders --destination xlsx"):
        config.load(path)
    assert config.load(path, required=False) == Config()


@pytest.mark.parametrize("content", [None, b"\xff\xfe{}"], ids=["a folder", "UTF-16"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """A folder, or another encoding: one sentence with the path."""
    path = tmp_path / "c.json"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        config.load(str(path), required=False)


FULL = {"GCP_JSON": "k", "FIXED_HEADERS": ["a"], "SPREADSHEET_NAME": "s"}
MISSING: dict[str, tuple[dict[str, Any], Typed, set[str]]] = {
    "all": ({}, Typed(), {"GCP_JSON", "FIXED_HEADERS", "SPREADSHEET_NAME"}),
    "none": (FULL, Typed(), set()),
    "flag and environment": ({"FIXED_HEADERS": ["a"]}, Typed(sheet="s", login=True), set()),
    "a workbook by flag": ({}, Typed(destination="xlsx:a.xlsx"), set()),
    "a workbook by key": ({"DESTINATION": "xlsx"}, Typed(), set()),
    "a spreadsheet after all": (
        {"DESTINATION": "xlsx"},
        Typed(destination="gsheet"),
        {"GCP_JSON", "FIXED_HEADERS", "SPREADSHEET_NAME"},
    ),
    "with other problems": (
        {"GCP_JSON": "k", "MAX_COLUMNS": "5", "SOURCE": "csv", "DESTINATION": "gsheet"},
        Typed(),
        {"FIXED_HEADERS", "SPREADSHEET_NAME", "MAX_COLUMNS", "SOURCE"},
    ),
}


@pytest.mark.parametrize(("content", "typed", "keys"), MISSING.values(), ids=MISSING)
def test_missing(content: dict[str, Any], typed: Typed, keys: set[str]) -> None:
    """What a Google spreadsheet needs is asked for all at once, with all other problems."""
    found: set[str] = set()
    try:
        config.parse(json.dumps(content), typed=typed)
    except ConfigError as error:
        found = {problem.key for problem in error.problems}
    assert found == keys


def test_gpu_hours_are_computed_only_where_they_are_listed() -> None:
    """They would cost every run."""
    assert good(FIXED_HEADERS=["run_id", "config.gpus"], REPORTS=["GPU-hours"]).rules().usage is None
    settings = Settings(("a/b",), 1, "device")
    keys = {"WORLD_SIZE_KEYS": ["a/b"], "DEFAULT_WORLD_SIZE": 1, "ACCELERATOR_KEY": "device"}
    for key in COMPUTED:
        assert good(FIXED_HEADERS=["run_id", {"Title": key}], **keys).rules().usage == settings
    assert good().usage == Settings()


def test_reports_are_named_once() -> None:
    assert good(REPORTS=["GPU-hours", "GPU-hours"]).REPORTS == ["GPU-hours"]
