"""What all pictures share: size, fonts, colours, and how they are written.

A picture is begun with `new(rows, title)`, which gives the figure and a panel (matplotlib's Axes) for each
row; lines and bars take their looks from `look(index)`; `save(figure, path)` ends it. `ending(path)` tells
before any work whether a picture can have that name. No window and no global figure.

matplotlib is imported by `new`, and set up once: its own defaults instead of what a matplotlibrc says, so
that a picture looks the same on each machine.
"""

import logging
import warnings
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runsheet.errors import ConfigError, MissingPackage
from runsheet.report import count
from runsheet.reports.writing import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

WIDTH, ROW, REST = 10.0, 2.1, 1.5
"""Inches: of a picture, of each of its rows, and of what is above and below them."""

DOTS = 120
"""Of a PNG, for each inch."""

TITLE_COLUMNS = 78
"""As many columns of a title fit into the width; see writing.width."""

ENDINGS = ("png", "svg")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito's, which people with any kind of colour blindness can tell apart; without the yellow, which
is hard to see on white."""

STROKES = ("-", "--", ":", "-.")
"""Tell lines apart that have the same colour."""

FONTS = (
    "DejaVu Sans",  # comes with matplotlib
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans KR",
    "Noto Sans JP",
    "Noto Sans SC",
    "Source Han Sans",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "NanumGothic",
    "Yu Gothic",
    "Meiryo",
    "Hiragino Sans",
    "IPAexGothic",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
)
"""Each character is taken from the first of them that is installed and has it."""


def ending(path: str | Path) -> str:
    """What a file's name says that it is: one of ENDINGS. Raises ConfigError for any other."""
    found = Path(path).suffix.lower().removeprefix(".")
    if found not in ENDINGS:
        raise ConfigError(f"--plot: a picture's name ends in .png or .svg, and {str(path)!r} does not")
    return found


def new(
    rows: int, title: str, subtitle: str = "", *, together: bool = False
) -> tuple["Figure", tuple["Axes", ...]]:
    """An empty picture: the figure, and a panel for each row from the top down.

    `title` and `subtitle` stand above them at the left, and are cut where they are too long. `together`: the
    panels have one horizontal axis, labelled below the last. Raises MissingPackage without matplotlib.
    """
    _library()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, REST + ROW * rows), layout="constrained")
    panels = figure.subplots(rows, sharex=together, squeeze=False)[:, 0]
    _head(panels[0], shorten(title, TITLE_COLUMNS), shorten(subtitle, TITLE_COLUMNS))
    return figure, tuple(panels)


def look(index: int) -> Mapping[str, Any]:
    """The colour and stroke of a line, by its number from 0: the first 28 differ."""
    stroke, colour = divmod(index, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": STROKES[stroke % len(STROKES)]}


def save(figure: "Figure", path: str | Path) -> None:
    """Write a picture as what the ending of its name says. A file of that name is replaced.

    Characters of a PNG that no installed font has are told in one line of the log. Raises ConfigError when
    the file cannot be written.
    """
    form, made = ending(path), BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", _BOX, UserWarning)
        # The date would make another file of the same data each time.
        figure.savefig(made, format=form, dpi=DOTS, metadata={"Date": None} if form == "svg" else None)
    boxes = {str(warning.message) for warning in caught if str(warning.message).startswith(_BOX)}
    for warning in caught:
        if str(warning.message) not in boxes:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if boxes and form == "png":  # Whoever opens an SVG may have the font.
        log.warning(
            "%s: no font that is installed has %s: boxes are there", path, count(len(boxes), "character")
        )
    try:
        Path(path).write_bytes(made.getvalue())
    except OSError as error:
        raise ConfigError(f"--plot: cannot write {path}: {error.strerror or error}") from error


def text(written: str, columns: int) -> str:
    """A text of others, fit for a legend or an axis: so many columns at most, and nothing that is obeyed."""
    return shorten(written, columns)


def _head(panel: "Axes", title: str, subtitle: str) -> None:
    """Write both above a panel, whose width does not depend on theirs."""
    looks: dict[str, Any] = {"size": 12, "weight": "bold"}
    if not subtitle:
        panel.set_title(title, loc="left", **looks)
        return
    panel.set_title(f"\n{subtitle}", loc="left", size=10, color="#555555", linespacing=1.7, pad=9)
    head = panel.annotate(
        title, (0, 1), (0, 27), xycoords="axes fraction", textcoords="offset points", **looks
    )
    head.set_in_layout(False)


_BOX = "Glyph"
"""So begins matplotlib's warning of a character that no font has."""


@cache
def _library() -> ModuleType:
    """matplotlib, set up. Raises MissingPackage."""
    try:
        import matplotlib
        from matplotlib import font_manager
    except ModuleNotFoundError as error:
        raise MissingPackage("a picture needs the package matplotlib: pip install matplotlib") from error
    installed = set(font_manager.fontManager.get_font_names())
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(
        {
            "font.family": [name for name in FONTS if name in installed],
            "font.size": 10,
            "text.parse_math": False,  # A name may hold dollar signs.
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#888888",
            "axes.linewidth": 0.8,
            "grid.color": "#e4e4e4",
            "grid.linewidth": 0.8,
            "xtick.color": "#888888",
            "ytick.color": "#888888",
            "xtick.labelcolor": "#333333",
            "ytick.labelcolor": "#333333",
            "legend.frameon": False,
            "lines.linewidth": 1.5,
            "figure.constrained_layout.w_pad": 0.12,
            "figure.constrained_layout.h_pad": 0.08,
            "svg.fonttype": "none",  # Text stays text, to be searched and copied.
            "svg.hashsalt": "runsheet",
        }
    )
    return matplotlib
