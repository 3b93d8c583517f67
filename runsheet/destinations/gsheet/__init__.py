"""The destination gsheet: a worksheet of a Google spreadsheet, written exactly once.

client        the way to Google: credentials, retries, errors
document      requests to one spreadsheet
marks         metadata on columns, and how it guards a write
reader        answers become a shape and its content
batch         cells and structure as requests
writer        the batches of a plan
destination   the interface: reads, then writes what the writer made
"""

from runsheet.destinations.gsheet.destination import GsheetDestination
from runsheet.destinations.gsheet.document import spreadsheet_key

__all__ = ["GsheetDestination", "spreadsheet_key"]
