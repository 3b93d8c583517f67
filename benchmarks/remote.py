"""Objects in processes of their own, so that what is measured shares its interpreter with nothing."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar, cast

from benchmarks.worker import peak

T = TypeVar("T")

CONTEXT = multiprocessing.get_context("spawn")
END_SECONDS = 10.0


class Remote(Generic[T]):
    """One object in one process. `it` looks like the object: its methods are called there, one at a time;
    an error there is raised here."""

    def __init__(self, make: Callable[..., T], *args: object) -> None:
        self._pipe, theirs = CONTEXT.Pipe()
        self._process: BaseProcess = CONTEXT.Process(target=_serve, args=(theirs, make, args), daemon=True)
        self._process.start()
        theirs.close()
        self.result()
        self.it = cast(T, _Proxy(self))

    def begin(self, name: str, *args: object, **named: object) -> None:
        """Call a method, and do not wait for its end; `result` does."""
        self._pipe.send((name, args, named))

    def result(self) -> Any:
        """What the call that was begun returned. Raises what it raised, EOFError when the process ended."""
        good, value = self._pipe.recv()
        if not good:
            raise value
        return value

    @property
    def busy(self) -> bool:
        """Whether a call that was begun goes on."""
        return not self._pipe.poll()

    def peak(self) -> int:
        """The most memory that the process had up to now, in bytes."""
        return peak(self._process.pid or 0)

    def kill(self) -> None:
        """SIGKILL; it is dead when this returns."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """End the process; one that does not end is killed. May be repeated."""
        self._pipe.close()
        self._process.join(END_SECONDS)
        if self._process.is_alive():
            self.kill()


class _Proxy:
    def __init__(self, owner: Remote[Any]) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: object, **named: object) -> Any:
            self._owner.begin(name, *args, **named)
            return self._owner.result()

        return call


@contextmanager
def remote(make: Callable[..., T], *args: object) -> Iterator[Remote[T]]:
    """An object in a process of its own, which ends with the block."""
    made = Remote(make, *args)
    try:
        yield made
    finally:
        made.close()


def _serve(pipe: Connection, make: Callable[..., object], args: tuple[object, ...]) -> None:
    """Make the object, then answer calls until the other side closes the pipe."""
    try:
        it = make(*args)
    except Exception as error:  # noqa: BLE001 - raised on the other side
        pipe.send(_failure(error))
        return
    pipe.send((True, None))
    while True:
        try:
            name, given, named = pipe.recv()
        except EOFError:
            return
        try:
            answer = (True, getattr(it, name)(*given, **named))
        except Exception as error:  # noqa: BLE001
            answer = _failure(error)
        pipe.send(answer)


def _failure(error: Exception) -> tuple[bool, Exception]:
    """In words: not every exception can be sent."""
    return False, RuntimeError("".join(traceback.format_exception(error)))
