"""Who else has the workbook: people, by the lock files of Excel and LibreOffice, and other
runsheets, by a lock of our own, which the system releases when a process dies.
"""

import errno
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runsheet.clock import Clock
from runsheet.errors import SheetBusy

OLD = timedelta(days=1)


def check_people(path: Path, clock: Clock) -> None:
    """Raise SheetBusy when a person has the workbook open: their next save would take our rows
    away again. A lock file that a crash left behind is respected too: only people can tell."""
    excel = path.with_name(f"~${path.name}")
    office = path.with_name(f".~lock.{path.name}#")
    for lock, program, owner in ((excel, "Excel", _excel_owner), (office, "LibreOffice", _office_owner)):
        with suppress(FileNotFoundError):
            age = clock.now() - datetime.fromtimestamp(lock.stat().st_mtime, UTC)
            raise SheetBusy(_sentence(path, lock, program, owner(_head(lock)), age))


def _head(lock: Path) -> bytes:
    """The lock file's content, none if we may not read it."""
    try:
        with lock.open("rb") as file:
            return file.read(4096)
    except FileNotFoundError:
        raise
    except OSError:
        return b""


def _sentence(path: Path, lock: Path, program: str, owner: str, age: timedelta) -> str:
    who = owner or "somebody"
    text = f"{path} is open in {program} by {who}, since {_ago(age)}: close it there, then try again"
    if age >= OLD:
        text += f". If {program} is closed there, delete {lock}, which it left behind"
    return text


def _ago(age: timedelta) -> str:
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _excel_owner(data: bytes) -> str:
    """A byte with the length, the name in some code page, then the same as UTF-16 at byte 55."""
    if len(data) > 57:
        length = int.from_bytes(data[55:57], "little")
        wide = data[57 : 57 + 2 * length].decode("utf-16-le", "ignore")
        if 0 < length < 54:
            return _printable(wide)
    return _printable(data[1 : 1 + data[0]].decode("cp1252", "ignore")) if data else ""


def _office_owner(data: bytes) -> str:
    """`Full Name,account,host,date,profile;`, commas within a name escaped by a backslash."""
    fields = re.split(r"(?<!\\),", data.decode("utf-8", "ignore"))
    names = [_printable(field.replace("\\,", ",")) for field in fields[:3]]
    name, account, host = (*names, "", "", "")[:3]
    return " on ".join(word for word in (name or account, host) if word)


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:80]


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Be the only runsheet that writes this workbook; SheetBusy when another one does.

    On a file system without locks (some network drives) we go on without: the digest that is
    compared before the rename still refuses all but a collision within a blink, and rows lost
    there are appended by the next tick, since the book-keeping is in the same file.
    """
    name = path.with_name(f".{path.name}.runsheet-lock")
    handle = _acquire(path, name)
    try:
        yield
    finally:
        # Removed while it is held; who waits for it finds that the name is gone, and tries anew.
        with suppress(OSError):
            name.unlink()
        os.close(handle)


def _acquire(path: Path, name: Path) -> int:
    while True:
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(path, handle)
            if _is_same(name, handle):
                os.ftruncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(path: Path, handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = _printable(os.pread(handle, 200, 0).decode("utf-8", "ignore")) or "another process"
        raise SheetBusy(f"another runsheet is writing {path} ({owner}): the next tick tries again") from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise


def _is_same(name: Path, handle: int) -> bool:
    try:
        there = name.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(handle)
    return (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev)
