"""The attack at length: `make chaos`, or `python -m tests.chaos 5000`.

Goes through new examples of tests/property/test_attack.py, as many as are asked for over all stages,
and prints what was done to the sheets and what was found. Ends with 1 when anything was.
"""

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from time import monotonic

from hypothesis import HealthCheck, settings

from tests.property.test_attack import STAGES, STEPS, LiveWorld, World
from tests.support.attack import KINDS, Tally

EXAMPLES = 2_000
WIDTH = 30


def explored(examples: int) -> settings:
    """New examples each time; one that fails is made small."""
    return settings(
        max_examples=examples,
        stateful_step_count=2 * STEPS,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )


def attack(examples: int) -> Iterator[tuple[str, Tally, bool]]:
    """Each stage, with what was done there and whether it held."""
    worlds = [World, LiveWorld]
    each = -(-examples // (len(worlds) * len(STAGES)))
    for world in worlds:
        for name, stage in sorted(STAGES.items()):
            tally = Tally()
            title = f"{name}, live" if world.live else name
            with stage(world, tally) as run:
                try:
                    run(explored(each))
                except BaseException as error:
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    traceback.print_exc()
                    yield title, tally, False
                else:
                    yield title, tally, True


def rows(tallies: list[Tally]) -> Iterator[tuple[str, list[int]]]:
    """The table, line by line."""
    yield "examples", [tally.examples for tally in tallies]
    yield "ticks", [tally.ticks for tally in tallies]
    yield "runs listed", [tally.runs for tally in tallies]
    yield from part("edits between ticks", [tally.deeds for tally in tallies])
    yield from part("edits during ticks", [tally.during for tally in tallies])
    yield from part("faults", [tally.faults for tally in tallies])
    for kind in KINDS:
        yield kind, [tally.found[kind] for tally in tallies]


def part(title: str, counts: list[Counter[str]]) -> Iterator[tuple[str, list[int]]]:
    """A total, and its kinds below it."""
    yield title, [count.total() for count in counts]
    for kind in sorted({kind for count in counts for kind, times in count.items() if times}):
        yield f"  {kind}", [count[kind] for count in counts]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=int, nargs="?", default=EXAMPLES)
    examples = parser.parse_args().examples
    started = monotonic()
    done = list(attack(examples))
    write = sys.stdout.write
    write(" " * WIDTH + "".join(f"{title:>16}" for title, _, _ in done) + "\n")
    for title, numbers in rows([tally for _, tally, _ in done]):
        write(f"{title:{WIDTH}}" + "".join(f"{number:>16,}" for number in numbers) + "\n")
    held = all(held for _, _, held in done)
    write(f"{'held' if held else 'FAILED'} in {monotonic() - started:.0f} seconds\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
