"""The destination gsheet: a worksheet of a Google spreadsheet, written exactly once.

credentials   who we are to Google, and how tokens are asked for
client        the way to Google: transport, retries, errors
document      requests to one spreadsheet
marks         metadata on tabs and columns, and how it guards a write
finder        which tab is ours
reader        answers become a standing, header texts and rows
notes         the book-keeping tab
standing      how a spreadsheet stands, before a batch and after it
memo          what a process remembers from tick to tick
encoding      cells and bodies as JSON text
batch         structure as requests
writer        the requests of a plan
feed          its rows, encoded, one after the other
batches       how both are packed into batches
probe         the rules of the service, tried
export        a tab as an .xlsx file, for backups
destination   the interface: reads, then sends the batches
"""

from runsheet.destinations.gsheet.destination import GsheetDestination
from runsheet.destinations.gsheet.document import spreadsheet_key

__all__ = ["GsheetDestination", "spreadsheet_key"]
