"""What the documentation says is so: flags, keys, links, examples, error sentences and test names.

Mutants that were tried, each seen to fail: an option without a line, a key left out of a table, a default
that differs, a link to nowhere, a cut JSON block, a flag that does not exist, a test that was renamed, a
sentence that the code does not say, a row that only one language has.
"""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic_core import PydanticUndefined

from runsheet import cli, config, health
from runsheet.errors import ConfigError
from runsheet.fields import BUILTIN_KEYS
from runsheet.report import Report

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ko.md")
PAGES = sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
FLAGS, KEYS, HEADERS = 1, 3, 4
"""Places of the tables in a README: flags of sync, keys of config.json, built-in header keys."""

LOOKING = ("keys", "gpu", "compare")
"""Commands that look into runs: their flags have a table together."""

readme = pytest.mark.parametrize("page", READMES)
anywhere = pytest.mark.parametrize("page", PAGES)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def prose(page: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text(page), flags=re.M | re.S)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), flags=re.M | re.S)


def spans(page: str) -> list[str]:
    """Pieces of code within sentences."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def tables(page: str) -> list[list[list[str]]]:
    """The tables as rows of cells, without their headings."""
    found = re.findall(r"(?:^\|.*\n)+", prose(page), flags=re.M)
    return [[[cell.strip() for cell in row.split("|")[1:-1]] for row in t.splitlines()[2:]] for t in found]


def first_words(rows: list[list[str]]) -> list[str]:
    """The first word of the code in each first cell."""
    return [re.split(r"[` ]", row[0])[1] for row in rows]


def options() -> dict[str, set[str]]:
    """The flags of each command, as click knows them."""
    return {
        name: {flag for param in command.params if isinstance(param, click.Option) for flag in param.opts}
        for name, command in cli.commands.commands.items()
    }


@readme
def test_every_flag_has_its_line(page: str) -> None:
    """The table of flags is that of the command, `--help` included, with the defaults that are texts."""
    rows = tables(page)[FLAGS]
    assert set(first_words(rows)) == options()["sync"] | {"--help"}
    shown = {word: row[1] for word, row in zip(first_words(rows), rows, strict=True)}
    for param in cli.commands.commands["sync"].params:
        if isinstance(param.default, str) and param.default:
            assert shown[param.opts[0]] == f"`{param.default}`"


@readme
def test_flags_of_the_other_commands(page: str) -> None:
    """Each flag of doctor stands in the sentence about it; those of the reading commands have tables."""
    sentence = prose(page).partition("wandb_spreadsheet_sync.py doctor`")[2].partition("\n\n")[0]
    for name, flags in options().items():
        tabled = name in ("sync", "gpu-hours", *LOOKING)
        assert tabled or flags <= set(re.findall(r"--\w+", sentence)), name


@readme
def test_every_flag_of_gpu_hours_has_its_line(page: str) -> None:
    (rows,) = (table for table in tables(page) if table[0][0].startswith("`--entity"))
    assert set(first_words(rows)) == options()["gpu-hours"]


@readme
def test_every_flag_of_the_commands_that_look_into_runs_has_its_line(page: str) -> None:
    """With the commands that have it, unless gpu-hours has it as well."""
    (rows,) = (table for table in tables(page) if table[0][0].startswith("`--run_name"))
    known = options()
    shown = {
        word: set(re.findall(r"`(\w+)`", row[1])) for word, row in zip(first_words(rows), rows, strict=True)
    }
    flags = set.union(*(known[name] for name in LOOKING)) - known["gpu-hours"]
    assert shown == {flag: {name for name in LOOKING if flag in known[name]} for flag in flags}


@readme
def test_flags_that_are_mentioned_exist(page: str) -> None:
    known = set.union(*options().values()) | {"--help", "--version"}
    mentioned = {word.split()[0] for word in spans(page) if word.startswith("--")}
    assert mentioned
    assert mentioned <= known


@readme
def test_every_command_is_mentioned(page: str) -> None:
    for name in options():
        assert re.search(rf"(wandb_spreadsheet_sync\.py|runsheet) {name}\b", text(page)), name


@readme
def test_every_key_has_its_line(page: str) -> None:
    """Each key of config.json with its default and an example that is accepted, and no other key."""
    rows = tables(page)[KEYS]
    assert sorted(first_words(rows)) == sorted(config.Config.model_fields)
    for key, row in zip(first_words(rows), rows, strict=True):
        default = config.Config.model_fields[key].default
        if row[2].startswith("`") and row[2].endswith("`") and default is not PydanticUndefined:
            assert json.loads(row[2].strip("`")) == default, key
        config.parse(json.dumps({key: json.loads(row[-1].strip("`"))}))


@readme
def test_every_built_in_header_has_its_line(page: str) -> None:
    assert first_words(tables(page)[HEADERS]) == list(BUILTIN_KEYS)


@readme
def test_variables_of_our_own_are_mentioned(page: str) -> None:
    params = [param for command in cli.commands.commands.values() for param in command.params]
    flags = {str(param.envvar) for param in params if param.envvar}
    others = {health.VARIABLE, "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_API_ENDPOINT", "WANDB_API_KEY"}
    for name in flags | others:
        assert f"`{name}`" in text(page), name


def targets() -> dict[str, bool]:
    """Targets of the Makefile, and whether its help lists them."""
    found = re.findall(r"^([a-z][a-z-]*):(?!=)([^\n]*)", text("Makefile"), flags=re.M)
    return {name: "## " in rest for name, rest in found}


@readme
def test_every_make_target_has_its_line(page: str) -> None:
    listed = {name for name, helps in targets().items() if helps}
    assert {row[0].strip("`").removeprefix("make ") for row in tables(page)[-1]} == listed


@anywhere
def test_make_targets_that_are_mentioned_exist(page: str) -> None:
    code = "\n".join([*spans(page), *blocks(page, "bash")])
    assert set(re.findall(r"^make ([a-z][a-z-]*)", code, flags=re.M)) <= set(targets())


@anywhere
def test_links_lead_somewhere(page: str) -> None:
    """Files that are linked exist, and headings that are linked do, too."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        assert not heading or heading in anchors(path.read_text(encoding="utf-8")), target


def anchors(markdown: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", markdown, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@anywhere
def test_nothing_of_this_machine(page: str) -> None:
    assert str(ROOT) not in text(page)
    assert "/home/" not in text(page)


@readme
def test_json_blocks_are_configurations(page: str) -> None:
    """Each parses and loads; one that names a key file has all that Google Sheets needs."""
    found = {block: config.parse(block) for block in blocks(page, "json")}
    whole = {block: each for block, each in found.items() if each.GCP_JSON}
    assert whole
    for block, each in whole.items():
        config.parse(block, typed=config.Typed())
        assert each.projects


def calls(page: str) -> Iterator[list[str]]:
    """The arguments of each call of ours in code, also behind the image's name."""
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    for line in [*lines, *spans(page)]:
        call = re.match(
            r"docker run (?:(?!--name).|--name \S+)* wandb_spreadsheet_sync(?P<image> .*|$)"
            r"|(?:docker exec \S+ |\S*/)?runsheet (?P<console>.+)"
            r"|\S*python3? wandb_spreadsheet_sync\.py(?P<script>.*)",
            line,
        )
        if call:
            yield shlex.split(call["image"] or call["console"] or call["script"] or "", comments=True)


@anywhere
def test_calls_are_understood(page: str) -> None:
    """Each call in the documentation parses with the real command."""
    found = list(calls(page))
    assert len(found) > 10 or page not in READMES
    for words in found:
        if words in (["--help"], ["--version"]):
            continue
        name, *flags = words if words and words[0] in options() else ["sync", *words]
        with cli.commands.make_context("runsheet", [name]) as parent:
            cli.commands.commands[name].make_context(name, flags, parent=parent)


def sentences() -> str:
    """All texts of the package, and a few that it puts together."""
    found = [Report().line()]
    try:
        config.parse('{"WORKSHET": ""}')
    except ConfigError as error:
        found.append(str(error))
    for path in (ROOT / "runsheet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [value.value if isinstance(value, ast.Constant) else "\0" for value in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


@readme
def test_sentences_are_those_of_the_code(page: str) -> None:
    """What the troubleshooting table quotes is what people see."""
    said = sentences()
    quoted = [row[0] for row in tables(page)[-2] if row[0].startswith("`")]
    assert len(quoted) > 20
    for quote in quoted:
        for piece in quote.strip("`").split("…"):
            assert piece.strip() in said, quote


def test_quoted_sentences_are_the_same_in_both_languages() -> None:
    """Messages are in English, so both tables quote the same ones."""
    one, other = ([row[0] for row in tables(page)[-2] if row[0].startswith("`")] for page in READMES)
    assert one == other


def test_both_languages_say_the_same() -> None:
    """The same headings, tables, lists and examples, one for one."""

    def shape(page: str) -> list[object]:
        heads = [len(mark) for mark in re.findall(r"^(#+) ", prose(page), flags=re.M)]
        rows = [[len(row) for row in table] for table in tables(page)]
        points = len(re.findall(r"^(?:- |\d+\. )", prose(page), flags=re.M))
        examples = [blocks(page, language) for language in ("bash", "text")]
        return [heads, rows, points, examples, len(blocks(page, "json"))]

    assert shape(READMES[0]) == shape(READMES[1])


def cited() -> list[str]:
    return sorted(set(re.findall(r"`(tests/[\w/]+\.py::[\w:]+)`", text("docs/promises.md"))))


def test_each_promise_cites_a_test() -> None:
    sections = re.split(r"^## ", text("docs/promises.md"), flags=re.M)
    promises = [section for section in sections if re.match(r"P\d ", section)]
    assert [section[:2] for section in promises] == [f"P{number}" for number in range(1, 9)]
    for section in promises:
        assert "`tests/" in section, section[:40]
        assert "Not promised" in section, section[:40]


@pytest.mark.parametrize("name", cited())
def test_cited_tests_exist(name: str) -> None:
    """File, class and function are there by that name."""
    path, *way = name.split("::")
    body: list[ast.stmt] = ast.parse(text(path)).body
    for step in way:
        kinds = (ast.ClassDef, ast.FunctionDef)
        found = [node for node in body if isinstance(node, kinds) and node.name == step]
        assert found, step
        body = found[0].body


def test_the_shipped_example_is_valid_too() -> None:
    """examples/config.json, which `make demo` uses, loads."""
    assert config.load(str(ROOT / "examples/config.json")).headers
