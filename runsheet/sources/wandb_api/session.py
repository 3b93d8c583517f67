"""The wandb module on loan: it neither waits for ever, asks anybody, nor leaves anything behind.

All of `wandb.Api` runs in a helper process, wandb-core, and its settings are read from the
environment once. So a session sets the environment and lends the module out. When the last
borrower is done it stops the helper, makes the client forget what it has read (a login that was
revoked meanwhile included: P8) and puts the environment back.
"""

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from types import ModuleType

from runsheet.errors import MissingPackage

HELPER_SECONDS = 10.0
"""A helper process that does not end by itself in this time is killed."""

SERVICE = "WANDB_SERVICE"
"""Where the client tells child processes the address of its helper process. Inherited, it would
tie us to the helper of whoever started us, which ends with them."""


def bounds(timeout: float, scratch: str) -> dict[str, str]:
    """The environment of a session, where the user has set nothing else.

    Left alone, the client tries twenty times in silence, to be cut off with "busy" for the only
    reason; it logs into ~/.cache and reports errors to its maker. `timeout` bounds a request.
    """
    return {
        "WANDB__GRAPHQL_RETRY_MAX": "2",
        "WANDB__GRAPHQL_RETRY_WAIT_MIN_SECONDS": "1",
        "WANDB__GRAPHQL_RETRY_WAIT_MAX_SECONDS": "2",
        "WANDB_HTTP_TIMEOUT": str(max(1, int(timeout / 2))),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_CACHE_DIR": scratch,
    }


class Session:
    """Counts the borrowers of the wandb module in this process. There is one: SESSION."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._borrowers = 0
        self._before: dict[str, str | None] = {}
        self._scratch = ""
        self._shared = False

    def borrow(self, timeout: float) -> ModuleType:
        """The wandb module; give it back with `give_back`. Raises MissingPackage."""
        with self._lock:
            if self._borrowers == 0:
                self._open(timeout)
            try:
                import wandb
            except Exception as error:
                self._close()
                if isinstance(error, ImportError):
                    raise MissingPackage("the source wandb needs a package: pip install wandb") from error
                raise
            self._borrowers += 1
            return wandb

    def give_back(self) -> None:
        """One borrower is done; after the last one the helper process is gone."""
        with self._lock:
            self._borrowers -= 1
            if self._borrowers == 0:
                self.stop()
                self._close()

    def stop(self) -> None:
        """Stop the helper process and forget the client's settings; the next Api starts it anew.

        This also heals a broken one: an answer that is not UTF-8 ends the way to it for good.
        """
        wandb = sys.modules.get("wandb")
        if wandb is None or self._shared:
            return
        helper = _helper(wandb)
        # The client waits for the helper's end without bounds.
        impatient = threading.Timer(HELPER_SECONDS, helper.kill) if helper else None
        if impatient:
            impatient.daemon = True
            impatient.start()
        # ConnectionResetError comes from a helper that died, SystemExit from one that ended badly.
        with contextlib.suppress(Exception, SystemExit):
            wandb.teardown()
        if impatient:
            impatient.cancel()
        os.environ.pop(SERVICE, None)
        if helper is not None and helper.poll() is None:
            # After a broken connection the client does not end it: one would be left at each tick.
            helper.kill()
            helper.wait()

    def _open(self, timeout: float) -> None:
        # A run that this process records has the helper process first: it is not ours to stop.
        self._shared = getattr(sys.modules.get("wandb"), "run", None) is not None
        self._scratch = tempfile.mkdtemp(prefix="runsheet-wandb-")
        atexit.register(self._close)
        wanted = bounds(timeout, self._scratch)
        new = {name: value for name, value in wanted.items() if name not in os.environ}
        self._before = put(new if self._shared else {**new, SERVICE: None})

    def _close(self) -> None:
        put(self._before)
        self._before = {}
        shutil.rmtree(self._scratch, ignore_errors=True)
        atexit.unregister(self._close)


SESSION = Session()


def _helper(wandb: ModuleType) -> "subprocess.Popen[bytes] | None":
    """The helper process, if this process started one. The client has no public name for it."""
    try:
        process = wandb.sdk.wandb_setup.singleton()._connection._proc._process
    except AttributeError:
        return None
    return process if isinstance(process, subprocess.Popen) else None


def put(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Set or (None) remove environment variables; returns what puts them back."""
    before = {name: os.environ.get(name) for name in values}
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return before


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """The environment with these variables set."""
    before = put(values)
    try:
        yield
    finally:
        put(before)
