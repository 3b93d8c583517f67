"""Which JSON the API takes: a table of messages, and the check that refuses what is not in it.

Google's parser refuses unknown names and wrong types before it looks at the document; so does `check`. A type
is the name of a message, 'int', 'float', 'str', 'bool', 'any' (stored as it comes), 'a|b' for an enum, and
'[type]' for a list. Messages that the stand-in only stores ('any') are not looked into.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from tests.support.sheets.errors import violation

AXIS = "ROWS|COLUMNS"
OPTIONS = {"valueInputOption": "RAW|USER_ENTERED"}
RENDERS = {
    "valueRenderOption": "FORMATTED_VALUE|UNFORMATTED_VALUE|FORMULA",
    "dateTimeRenderOption": "SERIAL_NUMBER|FORMATTED_STRING",
}
ECHOES = {
    "includeValuesInResponse": "bool",
    "responseValueRenderOption": RENDERS["valueRenderOption"],
    "responseDateTimeRenderOption": RENDERS["dateTimeRenderOption"],
}
PASTE = (
    "PASTE_NORMAL|PASTE_VALUES|PASTE_FORMAT|PASTE_NO_BORDERS|PASTE_FORMULA|PASTE_DATA_VALIDATION"
    "|PASTE_CONDITIONAL_FORMATTING"
)

MESSAGES: dict[str, dict[str, str]] = {
    "GridRange": {
        "sheetId": "int",
        "startRowIndex": "int",
        "endRowIndex": "int",
        "startColumnIndex": "int",
        "endColumnIndex": "int",
    },
    "GridCoordinate": {"sheetId": "int", "rowIndex": "int", "columnIndex": "int"},
    "DimensionRange": {"sheetId": "int", "dimension": AXIS, "startIndex": "int", "endIndex": "int"},
    "ExtendedValue": {
        "numberValue": "float",
        "stringValue": "str",
        "boolValue": "bool",
        "formulaValue": "str",
        "errorValue": "any",
    },
    "CellData": {
        "userEnteredValue": "ExtendedValue",
        "effectiveValue": "ExtendedValue",
        "formattedValue": "str",
        "userEnteredFormat": "any",
        "effectiveFormat": "any",
        "hyperlink": "str",
        "note": "str",
        "textFormatRuns": "any",
        "dataValidation": "any",
        "pivotTable": "any",
    },
    "RowData": {"values": "[CellData]"},
    "Line": {
        "hiddenByFilter": "bool",
        "hiddenByUser": "bool",
        "pixelSize": "int",
        "developerMetadata": "[Meta]",
    },
    "Place": {
        "locationType": "ROW|COLUMN|SHEET|SPREADSHEET",
        "spreadsheet": "bool",
        "sheetId": "int",
        "dimensionRange": "DimensionRange",
    },
    "Meta": {
        "metadataId": "int",
        "metadataKey": "str",
        "metadataValue": "str",
        "location": "Place",
        "visibility": "DOCUMENT|PROJECT",
    },
    "Lookup": {
        "locationType": "ROW|COLUMN|SHEET|SPREADSHEET",
        "metadataLocation": "Place",
        "locationMatchingStrategy": "EXACT_LOCATION|INTERSECTING_LOCATION",
        "metadataId": "int",
        "metadataKey": "str",
        "metadataValue": "str",
        "visibility": "DOCUMENT|PROJECT",
    },
    "DataFilter": {"developerMetadataLookup": "Lookup", "a1Range": "str", "gridRange": "GridRange"},
    "GridProperties": {
        "rowCount": "int",
        "columnCount": "int",
        "frozenRowCount": "int",
        "frozenColumnCount": "int",
        "hideGridlines": "bool",
        "rowGroupControlAfter": "bool",
        "columnGroupControlAfter": "bool",
    },
    "SheetProperties": {
        "sheetId": "int",
        "title": "str",
        "index": "int",
        "sheetType": "GRID|OBJECT",
        "gridProperties": "GridProperties",
        "hidden": "bool",
        "tabColor": "any",
        "tabColorStyle": "any",
        "rightToLeft": "bool",
    },
    "SpreadsheetProperties": {
        "title": "str",
        "locale": "str",
        "autoRecalc": "str",
        "timeZone": "str",
        "defaultFormat": "any",
        "spreadsheetTheme": "any",
        "iterativeCalculationSettings": "any",
        "importFunctionsExternalUrlAccessAllowed": "bool",
    },
    "GridData": {
        "startRow": "int",
        "startColumn": "int",
        "rowData": "[RowData]",
        "rowMetadata": "[Line]",
        "columnMetadata": "[Line]",
    },
    "ProtectedRange": {
        "protectedRangeId": "int",
        "range": "GridRange",
        "namedRangeId": "str",
        "description": "str",
        "warningOnly": "bool",
        "requestingUserCanEdit": "bool",
        "unprotectedRanges": "[GridRange]",
        "editors": "any",
    },
    "NamedRange": {"namedRangeId": "str", "name": "str", "range": "GridRange"},
    "BasicFilter": {
        "range": "GridRange",
        "sortSpecs": "any",
        "criteria": "any",
        "filterSpecs": "any",
    },
    "Sheet": {
        "properties": "SheetProperties",
        "data": "[GridData]",
        "merges": "[GridRange]",
        "conditionalFormats": "any",
        "filterViews": "any",
        "protectedRanges": "[ProtectedRange]",
        "basicFilter": "BasicFilter",
        "charts": "any",
        "bandedRanges": "any",
        "developerMetadata": "[Meta]",
        "rowGroups": "any",
        "columnGroups": "any",
        "slicers": "any",
    },
    "Spreadsheet": {
        "spreadsheetId": "str",
        "properties": "SpreadsheetProperties",
        "sheets": "[Sheet]",
        "namedRanges": "[NamedRange]",
        "spreadsheetUrl": "str",
        "developerMetadata": "[Meta]",
    },
    "SortSpec": {
        "dimensionIndex": "int",
        "sortOrder": "ASCENDING|DESCENDING",
        "foregroundColor": "any",
        "backgroundColor": "any",
    },
    # The requests of a batchUpdate, by the name in the union and so by the type of its value.
    "addSheet": {"properties": "SheetProperties"},
    "deleteSheet": {"sheetId": "int"},
    "updateSheetProperties": {"properties": "SheetProperties", "fields": "str"},
    "updateSpreadsheetProperties": {"properties": "SpreadsheetProperties", "fields": "str"},
    "duplicateSheet": {
        "sourceSheetId": "int",
        "insertSheetIndex": "int",
        "newSheetId": "int",
        "newSheetName": "str",
    },
    "insertDimension": {"range": "DimensionRange", "inheritFromBefore": "bool"},
    "appendDimension": {"sheetId": "int", "dimension": AXIS, "length": "int"},
    "deleteDimension": {"range": "DimensionRange"},
    "moveDimension": {"source": "DimensionRange", "destinationIndex": "int"},
    "updateDimensionProperties": {"range": "DimensionRange", "properties": "Line", "fields": "str"},
    "autoResizeDimensions": {"dimensions": "DimensionRange"},
    "updateCells": {
        "rows": "[RowData]",
        "fields": "str",
        "start": "GridCoordinate",
        "range": "GridRange",
    },
    "appendCells": {"sheetId": "int", "rows": "[RowData]", "fields": "str"},
    "repeatCell": {"range": "GridRange", "cell": "CellData", "fields": "str"},
    "copyPaste": {
        "source": "GridRange",
        "destination": "GridRange",
        "pasteType": PASTE,
        "pasteOrientation": "NORMAL|TRANSPOSE",
    },
    "cutPaste": {"source": "GridRange", "destination": "GridCoordinate", "pasteType": PASTE},
    "sortRange": {"range": "GridRange", "sortSpecs": "[SortSpec]"},
    "setBasicFilter": {"filter": "BasicFilter"},
    "clearBasicFilter": {"sheetId": "int"},
    "createDeveloperMetadata": {"developerMetadata": "Meta"},
    "deleteDeveloperMetadata": {"dataFilter": "DataFilter"},
    "updateDeveloperMetadata": {"dataFilters": "[DataFilter]", "developerMetadata": "Meta", "fields": "str"},
    "addProtectedRange": {"protectedRange": "ProtectedRange"},
    "deleteProtectedRange": {"protectedRangeId": "int"},
    "addNamedRange": {"namedRange": "NamedRange"},
    "updateNamedRange": {"namedRange": "NamedRange", "fields": "str"},
    "deleteNamedRange": {"namedRangeId": "str"},
    "mergeCells": {"range": "GridRange", "mergeType": "MERGE_ALL|MERGE_COLUMNS|MERGE_ROWS"},
    "unmergeCells": {"range": "GridRange"},
    "addDimensionGroup": {"range": "DimensionRange"},
    "deleteDimensionGroup": {"range": "DimensionRange"},
    "setDataValidation": {"range": "GridRange", "rule": "any"},
    "addConditionalFormatRule": {"rule": "any", "index": "int"},
    "addChart": {"chart": "any"},
    # Bodies and answers of the methods.
    "BatchUpdate": {
        "requests": "[Request]",
        "includeSpreadsheetInResponse": "bool",
        "responseRanges": "[str]",
        "responseIncludeGridData": "bool",
    },
    "BatchUpdated": {"spreadsheetId": "str", "replies": "any", "updatedSpreadsheet": "Spreadsheet"},
    "ByDataFilter": {"dataFilters": "[DataFilter]", "includeGridData": "bool"},
    "Search": {"dataFilters": "[DataFilter]"},
    "ValueRange": {"range": "str", "majorDimension": AXIS, "values": "[ListValue]"},
    "FilteredValues": {"dataFilter": "DataFilter", "majorDimension": AXIS, "values": "[ListValue]"},
    "ValuesUpdate": OPTIONS | ECHOES | {"data": "[ValueRange]"},
    "ValuesUpdateByFilter": OPTIONS | ECHOES | {"data": "[FilteredValues]"},
    "ValuesClear": {"ranges": "[str]"},
    "ValuesGetByFilter": RENDERS | {"dataFilters": "[DataFilter]", "majorDimension": AXIS},
    "Empty": {},
}
REQUESTS = {name: name for name in MESSAGES if name[0].islower()}
MESSAGES["Request"] = REQUESTS
PROTO = {"int": "TYPE_INT32", "float": "TYPE_DOUBLE", "str": "TYPE_STRING", "bool": "TYPE_BOOL"}


def check(message: str, value: Any, path: str = "") -> None:
    """Raise ApiError when the value is no such message. null stands for a field that is not set."""
    if not isinstance(value, dict):
        raise violation(path, f"Invalid value at '{path}' ({message}), {_shown(value)}")
    known = MESSAGES[message]
    for name, item in value.items():
        kind = known.get(name)
        if kind is None:
            at = f" at '{path}'" if path else ""
            text = f'Invalid JSON payload received. Unknown name "{snake(name)}"{at}: Cannot find field.'
            raise violation(path, text)
        if item is not None:
            check_type(kind, item, f"{path}.{snake(name)}" if path else snake(name))


def check_type(kind: str, value: Any, path: str) -> None:
    """Raise ApiError when the value is not of the type, as the table above writes it."""
    if kind.startswith("["):
        if kind == "[ListValue]":
            _check_lists(value, path)
            return
        if not isinstance(value, list):
            raise violation(path, f"Invalid value at '{path}' ({kind[1:-1]}), {_shown(value)}")
        for index, item in enumerate(value):
            check_type(kind[1:-1], item, f"{path}[{index}]")
    elif kind in MESSAGES:
        check(kind, value, path)
    elif "|" in kind:
        if value not in kind.split("|"):
            raise violation(path, f"Invalid value at '{path}' (TYPE_ENUM), {_shown(value)}")
    elif kind != "any" and not _scalar(kind, value):
        raise violation(path, f"Invalid value at '{path}' ({PROTO[kind]}), {_shown(value)}")


@cache
def snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), name)


def _scalar(kind: str, value: Any) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "str":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return kind == "float" or (value == int(value) and -(2**31) <= value < 2**31)


def _check_lists(value: Any, path: str) -> None:
    """Values are lists of lists of scalars; the recorded refusal names the whole field."""
    kind = "type.googleapis.com/google.protobuf.ListValue"
    if not isinstance(value, list):
        raise violation(path, f"Invalid value at '{path}' ({kind}), {_shown(value)}")
    for index, row in enumerate(value):
        if not isinstance(row, list):
            at = f"{path}[{index}]"
            raise violation(at, f"Invalid value at '{at}' ({kind}), {_shown(row)}")


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
