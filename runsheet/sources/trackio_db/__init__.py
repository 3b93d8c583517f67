"""The source `trackio`: what Trackio keeps on this machine, read without Trackio.

run_facts   what rows tell about a run, and how that becomes a Run
snapshot    a SQLite file as it was at one moment
tables      the tables in it, whose columns differ between versions
database    what they tell of all runs
run_rows    the rows of one run
inbox       rows that Trackio's dashboard has not imported into the database yet
source      the interface
"""

from runsheet.sources.trackio_db.source import TrackioSource, default_folder

__all__ = ["TrackioSource", "default_folder"]
