"""What one run logged, how it used its GPUs, and the pictures of it."""

from tests.mutant_list.mutant import UNIT, Mutant

COMMAND = "tests/system/test_inspect.py"
METRICS, TABLES, KEYS, PLOT, LOOKUP = (
    f"{UNIT}test_{name}.py" for name in ("gpu_metrics", "gpu_tables", "keys", "plot", "lookup")
)

INSPECT = (
    Mutant(
        "runsheet/reports/gpu_metrics.py",
        '"memory": (MEMORY_UTILIZATION, 1.0),',
        '"memory": (MEMORY, MIB),',
        "GPU: a percentage of time is shown as megabytes",
        (METRICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_metrics.py",
        "return whole if 2 * len(whole) >= len(self._times) else self._where(",
        "return self._where(",
        "GPU: a total is of several moments",
        (METRICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_metrics.py",
        'r"(?:system[./])?gpu[./](?P<gpu>',
        'r"(?:system[./])?gpu[./](?:process[./])?(?P<gpu>',
        "GPU: a card counts once more as the process sees it",
        (METRICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_metrics.py",
        "return found if math.isfinite(found) else None",
        "return found if math.isfinite(found) else 0.0",
        "GPU: a gap counts as zero",
        (METRICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_metrics.py",
        "and abs(value * means.scale) < LIMIT",
        "",
        "GPU: a driver's mark for an unknown value is a measurement",
        (METRICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_tables.py",
        "beside = stream is Stream.SYSTEM and quantity == MEMORY_PERCENT and MEMORY in use.stats",
        "beside = stream is Stream.SYSTEM and quantity == MEMORY_PERCENT",
        "GPU: the memory of old clients is not shown",
        (TABLES,),
    ),
    Mutant(
        "runsheet/reports/gpu_tables.py",
        "if quantity not in single}",
        "}",
        "GPU: a mean stands beside the GPUs that it is of",
        (TABLES,),
    ),
    Mutant(
        "runsheet/reports/keys.py",
        "sum(rows) if all(rows) else None",
        "sum(rows)",
        "keys: a count that nobody knows is 0",
        (KEYS,),
    ),
    Mutant(
        "runsheet/reports/keys.py",
        "if group is Group.TRAINING and not every",
        "if not every",
        "keys: those of many GPUs are cut",
        (KEYS,),
    ),
    Mutant(
        "runsheet/plot/gpu.py",
        "> HOLE * usual > 0:",
        "> HOLE * usual < 0:",
        "plot: a line runs through the time of which nothing is known",
        (PLOT,),
    ),
    Mutant(
        "runsheet/plot/figure.py",
        '"text.parse_math": False,',
        '"text.parse_math": True,',
        "plot: a name with dollar signs is a formula",
        (PLOT,),
    ),
    Mutant(
        "runsheet/plot/figure.py",
        "matplotlib.rcdefaults()",
        "matplotlib",
        "plot: a picture looks otherwise where somebody has a matplotlibrc",
        (PLOT,),
    ),
    Mutant(
        "runsheet/lookup.py",
        "return max(runs, key=_created)",
        "return min(runs, key=_created)",
        "GPU: of runs with one name the oldest is shown",
        (LOOKUP,),
    ),
    Mutant(
        "runsheet/cli/inspect.py",
        "Which(id=run_id) if run_id else",
        "Which(id=run_id) if run_id and not name else",
        "GPU: a name wins over an id",
        (COMMAND,),
    ),
    Mutant(
        "runsheet/cli/inspect.py",
        "click.echo(gpu_tables.MISSING, nl=False, err=True)",
        "click.echo(gpu_tables.MISSING, nl=False)",
        "GPU: a program reads a text where it expects CSV",
        (COMMAND,),
    ),
)
