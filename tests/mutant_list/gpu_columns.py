"""The GPU columns."""

from tests.mutant_list.mutant import UNIT, Mutant

COLUMNS, WHOLE = UNIT + "test_gpu_columns.py", "tests/system/test_gpu_columns.py"

GPU_COLUMNS = (
    Mutant(
        "runsheet/gpu_columns.py",
        "while window and (len(window) >= WINDOW or window[0].done()):",
        "while window and window[0].done():",
        "GPU columns: behind a slow run all others are held in memory",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/gpu_columns.py",
        "ThreadPoolExecutor(WORKERS,",
        "ThreadPoolExecutor(WINDOW,",
        "GPU columns: more runs are asked for at the same time than W&B's client handles",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/gpu_columns.py",
        "for key in lacking if key in measured",
        "for key in measured",
        "GPU columns: what a run noted itself is replaced",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/gpu_columns.py",
        "except (Unreachable, AccessError):",
        "except AccessError:",
        "GPU columns: a service that cannot be reached leaves cells blank for good",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/gpu_columns.py",
        "        self._clock.check()\n",
        "",
        "GPU columns: a stop waits until all runs have been read",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/intake.py",
        "return bare.settled and (",
        "return (",
        "GPU columns: runs are asked for while they go on",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/intake.py",
        "(self._is_known(bare) or not bare.refused) and self.has_news(bare)",
        "(self._is_known(bare) or not bare.refused)",
        "GPU columns: runs that have their row are asked for again",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/intake.py",
        "(self._is_known(bare) or not bare.refused) and",
        "",
        "GPU columns: runs that get no row are asked for",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/intake.py",
        "{live.stamp(run)} {done:d} {",
        "{live.stamp(run)} {",
        "GPU columns: what was kept of a run before it settled by silence counts for good",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/pull.py",
        "Intake(self._rules, self._now, spool, self.book)\n        part = intake.part",
        "Intake(self._rules, self._now, spool)\n        part = intake.part",
        "GPU columns: of a source that yields all runs each time, all are asked for each time",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/pull.py",
        "keys = keys.difference(COLUMNS, PATHS)",
        "pass",
        "GPU columns: to switch them on pulls all runs whole",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/pull.py",
        "pulled.seen.marks.update(dict.fromkeys(PATHS, 0))",
        "pass",
        "GPU columns: a value of a like name takes the column",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/pull.py",
        "DEAR if rules.gpu_columns else FEW",
        "FEW",
        "GPU columns: an interrupted first sync asks for all runs again",
        (COLUMNS, WHOLE),
    ),
    Mutant(
        "runsheet/pull.py",
        "{query.machine} {query.gpus} {rules.gpu_columns}",
        "{query.machine} {query.gpus}",
        "GPU columns: what an interrupted tick left without them is taken",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/plan.py",
        "elif run.settled and not end.startswith(run.stamp):",
        "elif False:",
        "GPU columns: a run that went on, and whose row is gone, is asked for in each tick",
        (COLUMNS,),
    ),
    Mutant(
        "runsheet/ticker.py",
        "return RecordedRecall(source,",
        "return Recall(source,",
        "GPU columns: they stay blank where a report is made besides",
        (WHOLE,),
    ),
)
