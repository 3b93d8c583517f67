"""The destination gsheet: a worksheet of a Google spreadsheet, written exactly once.

credentials   who we are to Google, and how tokens are asked for
client        the way to Google: transport, retries, errors
document      requests to one spreadsheet
marks         metadata on tabs and columns, and how it guards a write
finder        which tab is ours
reader        answers become a standing, header texts and rows
notes         the book-keeping tab
standing      how a spreadsheet stands, before a batch and after it
batch         cells and structure as requests
writer        the batches of a plan
export        a tab as an .xlsx file, for backups
destination   the interface: reads, then sends what the writer made
"""

from runsheet.destinations.gsheet.destination import GsheetDestination
from runsheet.destinations.gsheet.document import spreadsheet_key

__all__ = ["GsheetDestination", "spreadsheet_key"]
