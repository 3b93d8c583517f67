"""Reports: runs in, rows out. No I/O but in the last three.

usage      what one run used: how long, how many GPUs, and how that is known
gpu_hours  which runs count, and their sums
tables     the report as text, CSV and JSON
explain    the arithmetic of one run in words
live_table the reports that live in the sheet, and their rows

gather     all runs come in for these, each asked for as little as possible
store      what is known of runs that have not changed, in a file
keeper     keeps these reports true, by the machinery that keeps runs in the sheet
"""
