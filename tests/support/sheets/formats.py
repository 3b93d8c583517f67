"""How values are shown and how typed text is understood (locale en_US). Pure.

Shown: General keeps about ten digits after the point, number patterns know '0', '#', ',', '.', '%' and 'E',
date patterns the usual letters and quoted literals. Typed (USER_ENTERED): formulas, numbers, per cents,
TRUE/FALSE and the common forms of dates and times. Sections (';'), colours and fractions are not modelled.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from tests.support.sheets.grid import Formula, Value

EPOCH = datetime(1899, 12, 30)
DATES = {"DATE", "TIME", "DATE_TIME"}
DEFAULT = {
    "DATE": "yyyy-mm-dd",
    "TIME": "h:mm:ss am/pm",
    "DATE_TIME": "yyyy-mm-dd h:mm:ss",
    "NUMBER": "#,##0.00",
    "PERCENT": "0.00%",
    "SCIENTIFIC": "0.00E+00",
    "CURRENCY": '"$"#,##0.00',
}
TOKEN = re.compile(r'"[^"]*"|\\.|am/pm|a/p|\[h+\]|y+|m+|d+|h+|s+|\.0+|.', re.IGNORECASE)
PLACES = re.compile(r"[#0,]*\.?[#0]*(?:[eE]\+0+)?%?")
NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d+)?")


def show(value: float | bool | str | None, look: dict[str, Any] | None) -> str:
    """formattedValue: a value (not a formula) under a userEnteredFormat."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return value
    shape = (look or {}).get("numberFormat") or {}
    kind = shape.get("type")
    pattern = shape.get("pattern") or DEFAULT.get(str(kind), "")
    if kind in DATES:
        return _date(value, pattern)
    if kind == "TEXT" or not pattern or pattern.lower() == "general":
        return general(value)
    return _pattern(value, pattern)


def is_date(look: dict[str, Any] | None) -> bool:
    return ((look or {}).get("numberFormat") or {}).get("type") in DATES


def general(value: float) -> str:
    """A number without a format."""
    size = abs(value)
    if size and (size >= 1e15 or size < 1e-9):
        digits, exponent = f"{value:.5E}".split("E")
        return f"{digits.rstrip('0').rstrip('.')}E{int(exponent):+03d}"
    if value == int(value):
        return str(int(value))
    whole = len(str(int(size))) if size >= 1 else 0
    text = f"{value:.{max(0, 10 - whole)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def read(text: str) -> tuple[Value | None, dict[str, Any] | None]:
    """What a person who types the text gets: the value and the number format that comes with it."""
    if text == "":
        return None, None
    if text.startswith("="):
        return (Formula(text), None) if len(text) > 1 else (text, None)
    if text.startswith("'"):
        return text[1:], None
    bare = text.strip()
    if bare.upper() in ("TRUE", "FALSE"):
        return bare.upper() == "TRUE", None
    found = _read_number(bare) or _read_date(bare)
    if found:
        return found
    return (Formula("=" + text), None) if text[0] == "+" else (text, None)


def _read_number(text: str) -> tuple[Value, dict[str, Any] | None] | None:
    core = text.replace("$", "", 1).removesuffix("%")
    if not any(char.isdigit() for char in core) or not NUMBER.fullmatch(core):
        return None
    value = float(core.replace(",", ""))
    decimals = ".00" if "." in core else ""
    if text.endswith("%"):
        return value / 100, {"type": "PERCENT", "pattern": f"0{decimals}%"}
    if "$" in text:
        return value, {"type": "CURRENCY", "pattern": f'"$"#,##0{decimals}'}
    if "," in core:
        return value, {"type": "NUMBER", "pattern": f"#,##0{decimals}"}
    if "e" in core.lower():
        return value, {"type": "SCIENTIFIC", "pattern": "0.00E+00"}
    return value, None


TYPED_DATES = (
    ("%Y-%m-%d", "DATE", "yyyy-mm-dd"),
    ("%m/%d/%Y", "DATE", "m/d/yyyy"),
    ("%m/%d", "DATE", "m/d"),
    ("%Y-%m-%d %H:%M:%S", "DATE_TIME", "yyyy-mm-dd h:mm:ss"),
    ("%Y-%m-%d %H:%M", "DATE_TIME", "yyyy-mm-dd h:mm"),
    ("%m/%d/%Y %H:%M:%S", "DATE_TIME", "m/d/yyyy h:mm:ss"),
    ("%H:%M:%S", "TIME", "h:mm:ss"),
    ("%H:%M", "TIME", "h:mm"),
)


def _read_date(text: str) -> tuple[Value, dict[str, Any] | None] | None:
    for form, kind, pattern in TYPED_DATES:
        # A day without a year belongs to this year in Sheets; 2024 stands in, so that tests repeat.
        year = form == "%m/%d"
        try:
            moment = datetime.strptime(f"2024 {text}" if year else text, f"%Y {form}" if year else form)
        except ValueError:
            continue
        start = datetime(1900, 1, 1) if kind == "TIME" else EPOCH
        return (moment - start) / timedelta(days=1), {"type": kind, "pattern": pattern}
    return None


def _date(value: float, pattern: str) -> str:
    try:
        moment = EPOCH + timedelta(milliseconds=round(value * 86_400_000))
    except OverflowError:
        return general(value)
    tokens: list[str] = TOKEN.findall(pattern)
    half = any(token.lower() in ("am/pm", "a/p") for token in tokens)
    return "".join(
        _date_part(token, moment, value, half, _minutes(tokens, place)) for place, token in enumerate(tokens)
    )


def _minutes(tokens: list[str], place: int) -> bool:
    """Whether 'm' means minutes: it follows hours or goes before seconds."""
    letters = [
        (index, token[0].lower())
        for index, token in enumerate(tokens)
        if token[0].isalpha() or token[0] == "["
    ]
    names = [name for _, name in letters]
    try:
        at = [index for index, _ in letters].index(place)
    except ValueError:
        return False
    return (at > 0 and names[at - 1] in "h[") or (at + 1 < len(names) and names[at + 1] == "s")


def _date_part(token: str, moment: datetime, value: float, half: bool, minutes: bool) -> str:
    low = token.lower()
    hour = (moment.hour % 12 or 12) if half else moment.hour
    wide = f"0{min(len(token), 2)}d"
    match low[0]:
        case '"':
            return token[1:-1]
        case "\\":
            return token[1:]
        case "[":
            return str(int(value * 24))
        case "a" if half and len(low) > 1:
            mark = "AM" if moment.hour < 12 else "PM"
            return mark if low == "am/pm" else mark[0]
        case "y":
            return f"{moment.year:04d}" if len(low) > 2 else f"{moment.year % 100:02d}"
        case "m" if minutes:
            return f"{moment.minute:{wide}}"
        case "m":
            return (
                f"{moment.month:{wide}}" if len(low) < 3 else moment.strftime("%b" if len(low) == 3 else "%B")
            )
        case "d":
            return (
                f"{moment.day:{wide}}" if len(low) < 3 else moment.strftime("%a" if len(low) == 3 else "%A")
            )
        case "h":
            return f"{hour:{wide}}"
        case "s":
            return f"{moment.second:{wide}}"
        case "." if len(low) > 1:
            return "." + f"{moment.microsecond:06d}"[: len(low) - 1]
    return token


def _pattern(value: float, pattern: str) -> str:
    literals = re.split(r'("[^"]*")', pattern.split(";")[0])
    done, text = False, ""
    for part in literals:
        if part.startswith('"'):
            text += part[1:-1]
            continue
        match = max(PLACES.finditer(part), key=lambda found: len(found[0]))
        if done or not match[0]:
            text += part
            continue
        text += part[: match.start()] + _places(abs(value), match[0]) + part[match.end() :]
        done = True
    return f"-{text}" if value < 0 else text


def _places(value: float, places: str) -> str:
    if places.endswith("%"):
        return _places(value * 100, places[:-1]) + "%"
    if "e" in places.lower():
        head, _, tail = places.lower().partition("e+")
        decimals = len(head.partition(".")[2])
        digits, exponent = f"{value:.{decimals}E}".split("E")
        return f"{digits}E{exponent[0]}{int(exponent[1:]):0{len(tail)}d}"
    whole, _, fraction = places.partition(".")
    text = f"{value:{',' if ',' in whole else ''}.{len(fraction)}f}"
    if optional := len(fraction) - len(fraction.rstrip("#")):
        kept = text[-optional:].rstrip("0")
        text = (text[:-optional] + kept).rstrip(".")
    return text
