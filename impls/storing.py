"""Files that are written whole or not at all, and read as they were at one moment.

Whatever happens while a file is written (a full disk, a kill, another writer), at its path there
is what was there before, or the whole of what was to be there.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from convparity.impls.errors import FROM_USER_CODE, ConvparityError, InputError, quoted

START = 2**24 + 8  # bytes: the longest header of a file of weights
NEW = 0o666  # permissions of a new file, before the umask
UNNAMED = getattr(os, "O_TMPFILE", None)  # Linux: no name, of which a kill could leave a file


def file_name(path: Any) -> str:
    """A path, as text; ``InputError`` for what is none."""
    try:
        return os.fsdecode(path)
    except FROM_USER_CODE:  # a PathLike may have code of its own
        raise InputError(f"the path of a file is text or a Path, not {quoted(path)}") from None


def said(path: str) -> str:
    """A path as a message shows it: as it is, unless it is long or not printable."""
    return path if len(path) <= 300 and path.isprintable() else quoted(path)


def write_whole(path: str | Path, data: bytes) -> None:
    """Put ``data`` at ``path``, and on the disk.

    A link is followed, and stays; an existing file is replaced by one with its permissions and its
    owner, and other names of it (hard links) keep the old. A device or a pipe is written to.
    Raises ``InputError`` with the reason where that is not possible.
    """
    shown = file_name(path)
    try:
        if (descriptor := _descriptor(shown)) is not None:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            _write_all(descriptor, data)
            return
        target = Path(os.path.realpath(shown))
        before = _status(target)
        if before is not None and stat.S_ISDIR(before.st_mode):
            raise InputError(f"cannot write {said(shown)}: it is a folder: give the path of a file")
        if before is not None and not stat.S_ISREG(before.st_mode):
            _write_through(shown, target, data)
            return
        if before is not None and not os.access(target, os.W_OK):
            raise InputError(
                f"cannot write {said(shown)}: it is read-only: remove it, or choose another"
            )
        with _replacing(target, before) as descriptor:
            _write_all(descriptor, data)
    except ConvparityError:
        raise
    except OSError as error:
        raise InputError(f"cannot write {said(shown)}: {error.strerror or error}") from None
    except ValueError as error:  # a path with a zero byte
        raise InputError(f"cannot write {said(shown)}: {error}") from None


def read_whole(
    path: str | Path, most: int, check: Callable[[bytes, int], None] | None = None
) -> bytes:
    """The bytes of a plain file, in memory of their own: who rewrites it later changes nothing.

    ``check`` is given its beginning, of ``START`` bytes, and how long the whole is, and may raise
    before the rest is read. Raises ``InputError`` for what is no plain file (a pipe would wait for
    ever), for one that cannot be read, and for one of more than ``most`` bytes.
    """
    shown = file_name(path)
    try:
        with open(shown, "rb", opener=_opener) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{said(shown)} is not a file")
            if status.st_size > most:
                raise InputError(
                    f"{said(shown)} has {status.st_size:,} bytes, and {most:,} are read at most"
                )
            start = file.read(START)
            if check is not None:
                check(start, status.st_size)
            rest = file.read(most)
            return start + rest if rest else start
    except ConvparityError:
        raise
    except FileNotFoundError:
        raise InputError(f"{said(shown)} is not a file: nothing has this name") from None
    except OSError as error:
        raise InputError(
            f"{said(shown)} is not a file that can be read: {error.strerror}"
        ) from None
    except ValueError as error:
        raise InputError(f"{said(shown)} is not a file: {error}") from None


def _descriptor(path: str) -> int | None:
    """The number of an open file that a path such as /dev/stdout or /dev/fd/63 means."""
    for _ in range(40):
        folder = os.path.realpath(os.path.dirname(path) or ".")
        name = os.path.basename(path)
        if re.fullmatch(rf"/dev/fd|/proc/({os.getpid()}|self)/fd", folder) and name.isdecimal():
            return int(name)
        whole = os.path.join(folder, name)
        if not os.path.islink(whole):
            return None
        path = os.path.join(folder, os.readlink(whole))
    return None


def _opener(path: str, flags: int) -> int:
    """Opens a pipe without waiting for its other end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_through(shown: str, target: Path, data: bytes) -> None:
    try:
        descriptor = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise InputError(
            f"cannot write {said(shown)}: it is a pipe that nobody reads: start its reader first"
        ) from None
    try:
        os.set_blocking(descriptor, True)
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _replacing(target: Path, before: os.stat_result | None) -> Iterator[int]:
    """A new file beside ``target``, open for writing, that takes its place at the end."""
    descriptor, name = _new_file(target.parent)
    try:
        yield descriptor
        if before is not None:
            with contextlib.suppress(PermissionError):  # who is not root keeps what is his
                os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
        os.fsync(descriptor)
        if name is None:
            name = _beside(target.parent)
            # with a descriptor, Python asks linkat, which follows the link that this name is
            os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor)
        os.replace(name, target)
        name = None
    finally:
        os.close(descriptor)
        if name is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _new_file(folder: Path) -> tuple[int, str | None]:
    """A descriptor, and its name where it has one already."""
    if UNNAMED is not None and os.path.isdir("/proc/self/fd"):
        try:
            return os.open(folder, UNNAMED | os.O_WRONLY, NEW), None
        except OSError as error:  # a file system, or a kernel, that knows no such files
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                raise
    name = _beside(folder)
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, NEW), name


def _beside(folder: Path) -> str:
    return str(folder / f".convparity-{secrets.token_hex(8)}.tmp")
