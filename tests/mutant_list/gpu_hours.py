"""What runs used, which of them count, and what is shown of it."""

from tests.mutant_list.mutant import UNIT, Mutant

COMMAND = "tests/system/test_gpu_hours.py"
USAGE = UNIT + "test_usage.py"
STATISTICS = UNIT + "test_gpu_hours.py"
TABLES = UNIT + "test_gpu_hours_tables.py"

GPU_HOURS = (
    Mutant(
        "runsheet/reports/gpu_hours.py",
        "(usage.end or _FIRST) >= self.end",
        "(usage.end or _FIRST) > self.end",
        "a run that ends on the bound of two windows counts twice",
        (STATISTICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_hours.py",
        "(usage.end or _FIRST) < self.start",
        "(usage.end or _FIRST) <= self.start",
        "a run that ends on the bound of two windows counts in none",
        (STATISTICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_hours.py",
        'if usage.status != "in progress"]',
        'if usage.status == "counted"]',
        "stuck runs count nowhere",
        (STATISTICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_hours.py",
        "self.gpu_hours / self.gpu_runs if",
        "self.gpu_hours / (self.gpu_runs - self.unknown) if",
        "the mean is no more that of the first script",
        (STATISTICS,),
    ),
    Mutant(
        "runsheet/reports/gpu_hours.py",
        "fsum(usage.gpu_hours for",
        "sum(usage.gpu_hours for",
        "the order in which runs are listed changes their sum",
        (STATISTICS,),
    ),
    Mutant(
        "runsheet/reports/usage.py",
        "end >= now - STUCK",
        "end > now - STUCK",
        "a run is stuck after a day, and not after more than a day",
        (USAGE,),
    ),
    Mutant(
        "runsheet/reports/usage.py",
        "(run.timed if span >= SHORT else clock > span)",
        "clock > span",
        "the pauses of a run count",
        (USAGE,),
    ),
    Mutant(
        "runsheet/reports/usage.py",
        "for each in (key, _nodes_key(key))",
        "for each in (key,)",
        "the number of machines is lost where only what is needed of a run is kept",
        (USAGE,),
    ),
    Mutant(
        "runsheet/reports/gpu_hours_tables.py",
        "divmod(round(hours), 24)",
        "divmod(int(hours), 24)",
        "the total and the GPU-hours are rounded in two ways",
        (TABLES,),
    ),
    Mutant(
        "runsheet/reports/writing.py",
        'cell.startswith(("=", "+", "-", "@", "\\t", "\\r"))',
        'cell.startswith("=")',
        "a group's name becomes a formula in a spreadsheet",
        (TABLES,),
    ),
    Mutant(
        "runsheet/cli/gpu_hours.py",
        "start.replace(tzinfo=UTC)",
        "start.astimezone(UTC)",
        "a date is midnight in the zone of this machine",
        (COMMAND,),
    ),
    Mutant(
        "runsheet/cli/gpu_hours.py",
        'raise ServiceError(f"{item.what}: {item.reason}")',
        'click.echo(f"{item.what}: {item.reason}", err=True)',
        "a total that lacks runs is shown",
        (COMMAND,),
    ),
)
