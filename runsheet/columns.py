"""Which columns there are: fixed ones first, then dynamic ones, each known by its key (P3). Pure.

A *header* of the configuration names a key; `resolve` finds the path that the key means in the
runs at hand. Columns are only ever added: a column that was made once and is not in the sheet any
more was deleted by a person, and stays deleted. No two columns share a title or a key.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from runsheet import cells
from runsheet.errors import SheetError
from runsheet.fields import BUILTIN_KEYS, CONFIG, DATES, SUMMARY, TITLES, Values
from runsheet.model import Column, Limits, Owned, Placed

MARK_CHARS = 25
"""What a destination may add to a key when it marks a column."""

COMPARED = f"{SUMMARY}_best_in"
"""The key of a column that comparisons have, and no other table: their worksheets are known by it."""


@dataclass(frozen=True, slots=True)
class Header:
    """A fixed header: the key, and the column's title ("" = the key itself)."""

    key: str
    title: str = ""

    @property
    def shown(self) -> str:
        return self.title or self.key


@dataclass(frozen=True, slots=True)
class Choice:
    """What the configuration says about columns.

    `dynamic`: globs of paths to include, those with "!" in front exclude; empty for no dynamic
    columns. `limit`: how many columns of ours a sheet may have until no dynamic ones are added;
    fixed ones always are, since a row without its run_id would be lost.
    """

    fixed: tuple[Header, ...]
    dynamic: tuple[str, ...] = ("*",)
    limit: int = 100


@dataclass(slots=True)
class Seen:
    """The paths that occur in the runs, and in how many each has a value, in order of appearance."""

    filled: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)

    def add(self, values: Values) -> None:
        if cells.Mark in map(type, values.values()):
            marked = [path for path, cell in values.items() if type(cell) is cells.Mark]
            self.marks.update(marked)
            values = values.copy()
            for path in marked:
                del values[path]
        self.filled.update(values.keys())

    def __contains__(self, path: str) -> bool:
        return path in self.filled or path in self.marks


@dataclass(frozen=True, slots=True)
class Chosen:
    """The columns of a plan: those in the sheet, those to add, and what found no place and why."""

    present: tuple[Column, ...]
    new: tuple[Column, ...]
    left_out: tuple[str, ...] = ()


def resolve(key: str, seen: Seen) -> str:
    """The path that a header key means, "" when no run has it yet.

    A built-in key means itself. Then `key` as a path; then in the summary, then in the config;
    then, the same with every character but letters and digits read as `_`, and in any case: the
    first script of this kind wrote `train/loss` as `train_loss`, and its sheets still stand.
    """
    if key in BUILTIN_KEYS:
        return key
    for path in (key, SUMMARY + key, CONFIG + key):
        if path.startswith((SUMMARY, CONFIG)) and path in seen:
            return path
    plain = simple(key)
    paths = {*seen.filled, *seen.marks}
    alike = [path for path in paths if plain in (simple(path), simple(bare(path)))]
    alike.sort(key=lambda path: (not path.startswith(SUMMARY), -seen.filled[path], path))
    return alike[0] if alike else ""


def fingerprint(key: str) -> str:
    """Six characters that stand for a column's key: what a destination remembers of columns ever
    made where the keys themselves would take too much room."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest)[:6].decode()


def compares(keys: Collection[str], made: Collection[str] = ()) -> bool:
    """Whether a table is a comparison: by the keys of its columns, or the fingerprints of those ever made."""
    return COMPARED in keys or fingerprint(COMPARED) in made


def simple(name: str) -> str:
    """A name with everything but letters and digits as `_`, for comparing spellings."""
    return re.sub(r"\W", "_", name).casefold()


def bare(path: str) -> str:
    """A path without its `config.` or `summary.`; a built-in key has neither."""
    return path.removeprefix(CONFIG if path.startswith(CONFIG) else SUMMARY)


def adopt(header: Sequence[str], choice: Choice, seen: Seen) -> tuple[Placed, ...]:
    """The columns of a sheet without marks that are ours by their titles.

    Each title is compared with the fixed headers, then with the built-in keys, then with the
    paths that dynamic columns may show. A title that stands twice is nobody's. Raises SheetError
    when two columns could be run_id.
    """
    shown = [one_line(text) for text in header]
    titles = Counter(shown)
    wanted = {one_line(item.shown): item.key for item in reversed(choice.fixed)}
    placed: dict[str, Placed] = {}
    for index, text in enumerate(shown):
        if not text or (titles[text] > 1 and simple(text) != "run_id"):
            continue
        key, path = _adopted(text, wanted, choice, seen)
        if key == "run_id" and key in placed:
            raise SheetError(
                f"two columns of the sheet are headed like run_id ({header[placed[key].index]!r} and "
                f"{text!r}): rename the one that does not hold run ids"
            )
        if key and key not in placed:
            placed[key] = Placed(Column(key, text, path, path in DATES), index)
    return tuple(placed.values())


def _adopted(title: str, wanted: Mapping[str, str], choice: Choice, seen: Seen) -> tuple[str, str]:
    """Key and path of the column that a title stands for, ("", "") for a person's column."""
    key = wanted.get(title, "")
    if not key and (title in TITLES or simple(title) == "run_id"):
        key = title if title in TITLES else "run_id"
    if key:
        return key, resolve(key, seen)
    # Other columns only by the very name: a person's "Status" is not the config's `status`.
    named = [path for path in (*seen.filled, *seen.marks) if title in _spellings(path)]
    named = sorted((path for path in named if allowed(path, choice.dynamic)), key=_summary_first)
    return (named[0], named[0]) if named else ("", "")


def _spellings(path: str) -> tuple[str, str, str]:
    """The titles that a path has here, and the one that the first script of this kind gave it."""
    return path, bare(path), bare(path).replace("/", "_")


def _summary_first(path: str) -> tuple[bool, str]:
    return not path.startswith(SUMMARY), path


def names(key: str, choice: Choice) -> set[str]:
    """What a column is called when it is made, as far as its key tells."""
    return {item.shown for item in choice.fixed if item.key == key} | {key, bare(key)}


def choose(
    choice: Choice,
    seen: Seen,
    header: Sequence[str],
    owned: Iterable[Owned],
    ever: Mapping[str, str],
    adopted: Iterable[Placed] = (),
    limits: Limits = Limits(),  # noqa: B008 - a frozen value
    made: Collection[str] = (),
) -> Chosen:
    """The columns after this tick.

    `header` and `owned` are what the sheet shows; `ever` maps the key of each column ever made to
    its path ("" while no run had it), and `made` holds the fingerprints of keys ever made, which
    may outlive the book-keeping. Columns present keep their places; new ones come in the order of
    the fixed headers, then most filled first. A fixed header whose values a dynamic column of the
    sheet shows already gets none.
    """
    present = [_present(item, choice, seen, ever) for item in owned]
    present += [placed.column for placed in adopted]
    picker = _Picker(choice, seen, header, present, ever, made)
    fixed, dynamic = list(picker.fixed()), list(picker.dynamic())
    room = min(choice.limit - len(present), limits.columns - len(header)) - len(fixed)
    room = min(room, _fitting((*present, *fixed), dynamic, limits.key_chars))
    kept, left_out = dynamic[: max(0, room)], dynamic[max(0, room) :]
    return Chosen(tuple(present), (*fixed, *kept), tuple(column.title for column in left_out))


def _fitting(before: Sequence[Column], columns: Sequence[Column], key_chars: int) -> int:
    """How many more columns fit when all their keys may have `key_chars` characters."""
    left = key_chars - sum(len(column.key) + MARK_CHARS for column in before)
    for count, column in enumerate(columns):
        left -= len(column.key) + MARK_CHARS
        if left < 0:
            return count
    return len(columns)


def allowed(path: str, globs: Sequence[str]) -> bool:
    """True when the globs let a path be a dynamic column.

    Each glob is compared with the path and with its bare name. Only exclusions given: everything
    else is included.
    """
    includes = [glob for glob in globs if not glob.startswith("!")]
    excludes = [glob[1:] for glob in globs if glob.startswith("!")]
    if not globs or _matches(path, excludes):
        return False
    return _matches(path, includes) if includes else True


def _matches(path: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(path, glob) or fnmatchcase(bare(path), glob) for glob in globs)


def _present(item: Owned, choice: Choice, seen: Seen, ever: Mapping[str, str]) -> Column:
    path = ever.get(item.key) or resolve(item.key, seen)
    return Column(item.key, item.title, path, path in DATES)


class _Picker:
    """Picks new columns while keeping titles, keys and paths apart."""

    def __init__(
        self,
        choice: Choice,
        seen: Seen,
        header: Sequence[str],
        present: Sequence[Column],
        ever: Mapping[str, str],
        made: Collection[str],
    ) -> None:
        self._choice = choice
        self._seen = seen
        self._made = made
        self._titles = {one_line(text) for text in header} | {""}
        self._keys = {column.key for column in present} | set(ever)
        self._shown = {column.path for column in present if column.path == column.key}
        # A fixed header that no run had yet, and whose column was deleted, still has its values.
        self._paths = {column.path for column in present} | set(ever)
        self._paths |= {path or resolve(key, seen) for key, path in ever.items()}
        gone = [item.key for item in choice.fixed if item.key not in self._keys and self._was_made(item.key)]
        self._paths |= {resolve(key, seen) for key in gone}

    def fixed(self) -> Iterator[Column]:
        """Fixed headers that were never made, in their order."""
        for header in self._choice.fixed:
            path = resolve(header.key, self._seen)
            if not (header.key in self._keys or path in self._shown or self._was_made(header.key)):
                yield self._take(header.key, path, header.shown, f"{header.shown} ({header.key})")

    def dynamic(self) -> Iterator[Column]:
        """Paths that no column shows yet, most filled first, then by name."""
        paths = [path for path in self._seen.filled if self._is_free(path)]
        paths.sort(key=lambda path: (-self._seen.filled[path], bare(path), path))
        twice = Counter(bare(path) for path in paths)
        for path in paths:
            short = bare(path) if twice[bare(path)] == 1 and bare(path) else path
            yield self._take(path, path, short, path)

    def _is_free(self, path: str) -> bool:
        """Internal values of W&B (`summary._step`) become columns only when listed by name."""
        if path in BUILTIN_KEYS or path in self._paths or self._was_made(path):
            return False
        listed = path in self._choice.dynamic or bare(path) in self._choice.dynamic
        return allowed(path, self._choice.dynamic) and (listed or not path.startswith(SUMMARY + "_"))

    def _was_made(self, key: str) -> bool:
        return fingerprint(key) in self._made

    def _take(self, key: str, path: str, *titles: str) -> Column:
        title = next((text for text in map(one_line, titles) if text not in self._titles), "")
        count = 2
        while not title:
            numbered = f"{one_line(titles[-1])} {count}"
            title = numbered if numbered not in self._titles else ""
            count += 1
        self._titles.add(title)
        self._keys.add(key)
        self._paths |= {path, key}
        return Column(key, title, path, path in DATES)


def one_line(text: str) -> str:
    """A header text on one line."""
    return " ".join(cells.text(text).split())
