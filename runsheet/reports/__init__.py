"""Reports: runs, and the rows that they logged, come in; tables come out. No I/O but where it is said.

usage       what one run used: how long, how many GPUs, and how that is known
gpu_hours   which runs count, and their sums; gpu_hours_tables: the report as text, CSV and JSON
explain     the arithmetic of one run in words

keys        the keys that a run logged, in groups
gpu_metrics how a run used its GPUs: what keys mean, and statistics; gpu_tables: as text, CSV and JSON
compare     runs side by side; compare_tables: as text, CSV and JSON
heading     which run is shown
writing     lines for a terminal, and CSV

live_table  the reports that live in the sheet, and their rows
gather      all runs come in for these, each asked for as little as possible (I/O)
store       what is known of runs that have not changed, in a file (I/O)
keeper      keeps these reports true, by the machinery that keeps runs in the sheet (I/O)
compare_sheet  keeps comparisons in a worksheet, by the same (I/O)
"""
