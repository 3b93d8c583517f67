"""What the keys of a run say of its GPUs: units, gaps, any number of GPUs, and the total of one moment.

Mutants that were tried, each seen to fail: see tests/mutant_list/inspecting.py.
"""

import math
import tracemalloc
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsheet.model import Sample
from runsheet.reports.gpu_metrics import (
    COLUMNS,
    GIB,
    GRACE,
    LIMIT,
    MEMORY,
    MEMORY_PERCENT,
    MEMORY_UTILIZATION,
    MIB,
    POWER,
    TEMPERATURE,
    UTILIZATION,
    GpuUse,
    Stat,
    average,
    columns,
    is_gpu,
    meaning,
    measure,
    number,
)

BYTES = "memoryAllocatedBytes"


def used(*rows: Mapping[str, Any]) -> GpuUse:
    """What these rows tell, one every 15 seconds."""
    return measure(Sample(1e9 + 15 * place, row) for place, row in enumerate(rows))


def system(gpu: int, /, **values: Any) -> dict[str, Any]:
    """Keys of one GPU as W&B's server names them."""
    return {f"system.gpu.{gpu}.{key}": value for key, value in values.items()}


def bytes_of(*gibs: float | None) -> dict[str, float]:
    """A row of memory, a GPU for each number; None is a gap."""
    return {f"system.gpu.{gpu}.{BYTES}": gib * GIB for gpu, gib in enumerate(gibs) if gib is not None}


def figures(stat: Stat | None) -> tuple[float, float, float, float]:
    """Current, average, maximum, minimum in GB."""
    assert stat
    return stat.current / GIB, stat.average / GIB, stat.maximum / GIB, stat.minimum / GIB


def test_g1_the_total_is_of_one_moment() -> None:
    """14 GB were used at once at most; the greatest of each GPU would add up to 16."""
    use = used(bytes_of(10, 4), bytes_of(9, 4), bytes_of(8, 6))
    first, second = use.gpus
    assert figures(first.stats[MEMORY]) == (8, 9, 10, 8)
    assert figures(second.stats[MEMORY])[:1] == (6,)
    current, mean, maximum, minimum = figures(use.total)
    assert (current, maximum, minimum) == (14, 14, 13)
    assert mean == pytest.approx(41 / 3)
    assert [value / GIB for _, value in use.total_series] == [14, 13, 14]


def test_g2_a_gap_is_no_zero() -> None:
    use = used(system(0, powerWatts=200, gpu=1), system(0, gpu=1), system(0, powerWatts=400, gpu=1))
    assert use.gpus[0].stats[POWER] == Stat(400, 300, 400, 200, 2)
    assert use.gpus[0].series[POWER] == ((1e9, 200), (1e9 + 30, 400))


def test_series_are_sequences_of_pairs() -> None:
    """Whatever they are kept as. A time that nobody knows is none."""
    (gpu,) = measure(Sample(time, system(0, gpu=7)) for time in (None, 1.5, math.nan, 0)).gpus
    series = gpu.series[UTILIZATION]
    assert [*series] == [(None, 7), (1.5, 7), (None, 7), (0, 7)]
    assert (series[1], series[-1], [*series[1:3]], len(series)) == (
        (1.5, 7),
        (0, 7),
        [(1.5, 7), (None, 7)],
        4,
    )
    assert series == [*series]
    assert series != [*series, (2, 7)]
    assert series != 4


def test_a_value_of_a_long_run_takes_16_bytes() -> None:
    """An object for each would take ten times as much."""
    row = {f"system.gpu.{gpu}.{key}": 1.0 for gpu in range(8) for key in (BYTES, "gpu", "temp", "powerWatts")}
    sample = Sample(1e9, row)
    tracemalloc.start()
    try:
        use = measure(sample for _ in range(2000))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert use.rows == 2000
    assert size < 2 * 16 * len(row) * 2000


def test_rows_are_gone_through_once() -> None:
    """They may be read while they are measured."""
    rows = iter([Sample(0, bytes_of(1, 2)), Sample(1, bytes_of(3, 4))])
    assert figures(measure(rows).total)[:2] == (7, 5)


def test_the_keys_of_the_largest_machines_are_known_by_heart() -> None:
    """720 GPUs of six quantities: each row has all keys in the same order."""
    row = {key: 1.0 for gpu in range(720) for key in system(gpu, gpu=1, temp=1, powerWatts=1, memory=1)}
    row |= {key: 1.0 for gpu in range(720) for key in system(gpu, memoryAllocated=1, memoryAllocatedBytes=1)}
    used(row)
    known = meaning.cache_info().misses
    used(row, row)
    assert meaning.cache_info().misses == known


def test_g3_memory_is_a_percentage_of_time() -> None:
    """Whatever older texts say of megabytes."""
    (gpu,) = used(system(0, memory=37)).gpus
    assert {*gpu.stats} == {MEMORY_UTILIZATION}
    assert gpu.stats[MEMORY_UTILIZATION].current == 37


def test_any_number_of_gpus_in_the_order_of_their_numbers() -> None:
    use = used({f"system.gpu.{gpu}.gpu": gpu for gpu in reversed(range(72))})
    assert [each.gpu for each in use.gpus] == [str(gpu) for gpu in range(72)]


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", math.nan, math.inf, None, True, "80", [80], 2**64 - 1, 10**400],
    ids=str,
)
def test_what_is_no_measurement_is_a_gap(value: Any) -> None:
    """Among them texts that stand for no number, and what drivers tell that do not know."""
    key = f"system.gpu.0.{BYTES}"
    use = used({key: 4 * GIB}, {key: value}, {key: 8 * GIB})
    assert figures(use.total)[:2] == (8, 6)
    assert use.rows == 2
    assert not used({key: value}).known


def test_sums_stay_finite() -> None:
    use = used({f"gpu/{gpu}/allocated_memory": 1e300 for gpu in range(8)}, bytes_of(LIMIT / 2 / GIB))
    assert use.total
    assert use.total.maximum == LIMIT / 2


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1.0), (0.5, 0.5), (True, None), ("1", None), (10**400, None)]
)
def test_number(value: Any, expected: float | None) -> None:
    assert number(value) == expected


def test_only_percentages() -> None:
    """Old clients tell no bytes: no total is made up."""
    use = used(system(0, memoryAllocated=34.7), system(1, memoryAllocated=20))
    assert use.known
    assert use.total is None
    assert [{*each.stats} for each in use.gpus] == [{MEMORY_PERCENT}] * 2


def test_processes_are_not_summed() -> None:
    """`gpu.process.0` is the same card once more."""
    row = bytes_of(8) | {f"system.gpu.process.0.{BYTES}": 8 * GIB, "system.gpu.process.0.gpu": 50}
    use = used(row)
    assert [{*each.stats} for each in use.gpus] == [{MEMORY}]
    assert figures(use.total)[0] == 8


def test_a_moment_without_one_of_the_gpus_is_no_total() -> None:
    """4 GB alone were never in use."""
    use = used(bytes_of(10, 4), bytes_of(None, 4), bytes_of(12, 4))
    assert [value / GIB for _, value in use.total_series] == [14, 16]


def test_a_gpu_that_falls_silent() -> None:
    """For a while it is missed, then it is not there any more."""
    use = used(*[bytes_of(10, 4)] * 3, *[bytes_of(20, None)] * 9)
    assert [value / GIB for _, value in use.total_series] == [14, 14, 14, *[20] * 6]
    few = used(bytes_of(1, 1), *(bytes_of(size, None) for size in (71, 72, 73, 74)))
    assert [value / GIB for _, value in few.total_series] == [2, 72, 73, 74, 74]


def test_a_run_that_goes_on_with_other_gpus() -> None:
    """What they held is not added to what the first ones had held."""
    use = used(*[bytes_of(40, 40)] * 20, *[bytes_of(None, None, 30, 30)] * 20)
    assert {value / GIB for _, value in use.total_series} == {80, 60}


def test_a_gpu_that_is_seen_once_says_nothing_of_the_rest() -> None:
    use = used(*[bytes_of(10, None)] * 50, bytes_of(10, 5))
    assert figures(use.total) == pytest.approx((15, (47 * 10 + 15) / 48, 15, 10))


def test_machines_of_one_run_are_told_apart() -> None:
    """Each writes rows of its own: of the other, what was last known counts."""
    key = f"system.gpu.0.{BYTES}/l:"
    use = used({f"{key}b": 3 * GIB}, {f"{key}a": 8 * GIB}, {f"{key}b": 4 * GIB}, {f"{key}a": 6 * GIB})
    assert [each.gpu for each in use.gpus] == ["0 of a", "0 of b"]
    assert [value / GIB for _, value in use.total_series] == [11, 12, 10]


def test_what_a_training_logs_of_all_together() -> None:
    row = {
        "gpu/compute_util_avg": 72.5,
        "gpu/memory_util_avg": 40,
        "gpu/memory_used_avg_gb": 8,
        "gpu/memory_used_total_gb": 32,
        "gpu/memory_total_gb": 96,
    }
    use = used(row)
    assert use.gpus == ()
    assert use.mean
    assert {key: stat.current for key, stat in use.mean.stats.items()} == {
        MEMORY: 8 * GIB,
        UTILIZATION: 72.5,
        MEMORY_UTILIZATION: 40,
    }
    assert figures(use.total)[0] == 32


def test_the_total_of_the_gpus_wins_over_a_logged_one() -> None:
    assert figures(used(bytes_of(8, 4) | {"gpu/memory_used_total_gb": 99}).total)[0] == 12


@pytest.mark.parametrize(
    ("key", "gpu", "quantity", "scale"),
    [
        ("system.gpu.0.memoryAllocatedBytes", "0", MEMORY, 1),
        ("system.gpu.12.powerWatts", "12", POWER, 1),
        ("system/gpu.0.temp", "0", TEMPERATURE, 1),
        ("system.gpu.3.gpu/l:node-7", "3 of node-7", UTILIZATION, 1),
        ("gpu/0/allocated_memory", "0", MEMORY, GIB),
        ("gpu/0/memory_usage", "0", MEMORY_PERCENT, 100),
        ("gpu/1/power", "1", POWER, 1),
        ("gpu.0.memory_used_mb", "0", MEMORY, MIB),
        ("GPU Memory Allocated (Bytes) - GPU 2", "2", MEMORY, 1),
        ("GPU Time Spent Accessing Memory (%) - GPU 0", "0", MEMORY_UTILIZATION, 1),
    ],
)
def test_meanings(key: str, gpu: str, quantity: str, scale: float) -> None:
    found = meaning(key)
    assert found
    assert (found.gpu, found.quantity, found.scale) == (gpu, quantity, scale)


@pytest.mark.parametrize(
    "key",
    [
        "system.gpu.process.0.gpu",
        "system.gpu.0.powerPercent",
        "system.gpu.0.enforcedPowerLimitWatts",
        "gpu/0/total_memory",
        "gpu/total_power",
        "gpu/memory_total_gb",
        "system.cpu.0.gpu",
        "gpu_hours",
        "train/gpu/0/power",
        "GPU Memory Allocated (W) - GPU 2",
    ],
)
def test_what_means_nothing_of_these(key: str) -> None:
    assert not is_gpu(key)


VALUES = st.one_of(st.none(), st.just("NaN"), st.just(math.nan), st.floats(0, 100), st.integers(0, 100))


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=20))
def test_figures_by_a_way_of_their_own(rows: list[tuple[Any, Any, Any]]) -> None:
    """Three GPUs with gaps: each figure is that of the numbers which are there, in their order."""
    use = used(*({f"gpu/{gpu}/allocated_memory": value for gpu, value in enumerate(row)} for row in rows))
    series = [[value for value in column if real(value)] for column in zip(*rows, strict=True)]
    expected = {str(gpu): values for gpu, values in enumerate(series) if values}
    assert [each.gpu for each in use.gpus] == [*expected]
    for each in use.gpus:
        values, stat = expected[each.gpu], each.stats[MEMORY]
        close = pytest.approx((values[-1], fmean(values), max(values), min(values)))
        assert (figures(stat), stat.count) == (close, len(values))
    told = [row for row in rows if any(map(real, row))]
    places = [[place for place, row in enumerate(told) if real(row[gpu])] for gpu in range(3)]
    there = [
        [gpu for gpu, of in enumerate(places) if of and of[0] - GRACE <= place <= of[-1] + GRACE]
        for place in range(len(told))
    ]
    whole = [
        (row, gpus) for row, gpus in zip(told, there, strict=True) if all(real(row[gpu]) for gpu in gpus)
    ]
    sums = [sum(row[gpu] for gpu in gpus) for row, gpus in whole]
    if told and len(sums) * 2 >= len(told):
        assert figures(use.total) == pytest.approx((sums[-1], fmean(sums), max(sums), min(sums)))


def real(value: Any) -> bool:
    return isinstance(value, int | float) and value == value


def test_columns_of_a_table() -> None:
    """Averages over GPUs and time, and the greatest of any GPU at any time."""
    use = used(
        system(0, gpu=80, powerWatts=200, temp=60) | bytes_of(8, 4) | system(1, gpu=40),
        system(0, gpu=90, powerWatts=300, temp=70) | bytes_of(9, 4) | system(1, gpu=50),
    )
    assert columns(use) == {
        "gpu_util_avg": 65,
        "gpu_mem_max_gb": 9,
        "gpu_power_avg_w": 250,
        "gpu_temp_max": 70,
    }
    assert tuple(columns(use)) == COLUMNS
    assert columns(used({"loss": 1})) == {}


def test_average_of_gpus_that_tell_it() -> None:
    use = used(system(0, gpu=80) | system(1, temp=60))
    assert average(use, UTILIZATION) == 80
    assert average(use, POWER) is None


def test_a_mean_counts_for_what_no_gpu_tells_by_itself() -> None:
    """A training may log the memory of each GPU, and the utilization of all of them together."""
    use = used({"gpu/0/memory_used_gb": 8, "gpu/1/memory_used_gb": 9, "gpu/compute_util_avg": 80})
    assert columns(use) == {"gpu_util_avg": 80, "gpu_mem_max_gb": 9}
