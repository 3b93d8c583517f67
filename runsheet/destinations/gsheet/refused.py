"""Why a batch was refused. Google's text does not say it reliably, so the spreadsheet is looked at again."""

from runsheet.destinations.gsheet import images, marks, protection, reader
from runsheet.destinations.gsheet.client import Rejected
from runsheet.destinations.gsheet.document import Spreadsheet
from runsheet.destinations.gsheet.standing import Standing


class Refused:
    """The spreadsheet after a refusal, beside what the batch took it to be (`before`). `images`: the tabs
    of images that stand."""

    def __init__(self, sheets: Spreadsheet, before: Standing) -> None:
        self._sheets = sheets
        self._before = before
        answer = sheets.tabs()
        self._nonce = marks.nonce(answer)
        self._titles = {marks.tab_id(tab): tab["properties"]["title"] for tab in answer["sheets"]}
        self.images = tuple(tab for tab in before.image_tabs if tab in self._titles)

    def sheet_moved(self) -> bool:
        """Whether somebody wrote, or tabs and columns are not as they were."""
        before, titles = self._before, self._titles
        if self._nonce != before.nonce or (marks.NOTES_TAB in titles) != bool(before.notes):
            return True
        if before.tab is None:
            return before.title.casefold() in {title.casefold() for title in titles.values()}
        if titles.get(before.tab) != before.title:  # renamed, or gone
            return True
        try:
            header = self._sheets.header(titles[before.tab])
        except Rejected:
            return True
        after = reader.standing(before.title, header, ())
        grid = (after.rows, after.columns)
        return _places(after) != _places(before) or grid != (before.rows, before.columns)

    def rows_moved(self) -> bool:
        """Whether rows, or the tabs of images, are not as they were."""
        before = self._before
        found = self._sheets.find([marks.find(before.floor_id)])
        floor = images.floor(found.get(before.tab or 0, {}), before.floor_id)
        return floor != before.floor or set(self.images) != set(before.images)

    def advice(self, text: str) -> str:
        """What to do about a refusal whose reason we know, "" about others; `text` is Google's."""
        if "number of cells" in text:
            return f"{self._sheets} is full ({text}): move old rows to another spreadsheet"
        if "protected" not in text:
            return ""
        tab = self._before.tab
        ours = {marks.NOTES_TAB, *self.images, *([] if tab is None else [tab])}
        found = list(protection.locked(self._sheets.protections(), ours))
        return (
            f"{self._sheets} has {' and '.join(found) or f'a protected range ({text})'}, which we may not "
            f"write: let {self._sheets.account} edit there, or remove the protection"
        )


def _places(now: Standing) -> set[marks.Mark]:
    return {*now.marks, *([now.end] if now.end else [])}
