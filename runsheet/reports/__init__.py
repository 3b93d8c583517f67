"""Reports: runs in, rows out. No I/O.

usage     what one run used: how long, how many GPUs, and how that is known
"""
