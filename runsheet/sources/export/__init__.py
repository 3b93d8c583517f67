"""The source `export`: runs that were saved to a file earlier.

lines       a file of ours, a run a line: written, and read
web_table   the CSV that W&B's web page makes of its table of runs
source      the interface
"""

from runsheet.sources.export.lines import write
from runsheet.sources.export.source import ExportSource

__all__ = ["ExportSource", "write"]
