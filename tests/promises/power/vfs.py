"""The file operations of SQLite under watch: a VFS of our own in front of the real one.

See https://www.sqlite.org/c3ref/vfs.html and https://www.sqlite.org/c3ref/io_methods.html. All is passed on to the real
VFS; writes, truncations, syncs, creations and deletions of databases, write-ahead logs and rollback journals are
recorded when they have succeeded.
"""

import _sqlite3
import ctypes
import os
import sqlite3
import threading
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any

from tests.promises.power.history import Created, Deleted, DirectorySynced, Recorder, Synced, Truncated, Written

_OK = 0
_IOERR = 10
_MAIN_DB, _MAIN_JOURNAL, _SUPER_JOURNAL, _WAL = 0x100, 0x800, 0x4000, 0x80000

# Names are passed as addresses and not as texts: SQLite keeps more behind a name's end, and keeps the address itself.
_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_SetSystemCall = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
_GetSystemCall = CFUNCTYPE(c_void_p, c_void_p, c_char_p)
_OpenDirectory = CFUNCTYPE(c_int, c_void_p, c_void_p)
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)


class _Vfs(Structure):
    """sqlite3_vfs, version 3."""

    _fields_ = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", _Open),
        ("xDelete", _Delete),
        *[
            (name, c_void_p)
            for name in (
                "xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym", "xDlClose", "xRandomness", "xSleep",
                "xCurrentTime", "xGetLastError", "xCurrentTimeInt64",
            )
        ],
        ("xSetSystemCall", _SetSystemCall),
        ("xGetSystemCall", _GetSystemCall),
        ("xNextSystemCall", c_void_p),
    ]  # fmt: skip


class _Methods(Structure):
    """sqlite3_io_methods, version 3."""

    _fields_ = [
        ("iVersion", c_int),
        ("xClose", c_void_p),
        ("xRead", c_void_p),
        ("xWrite", _Write),
        ("xTruncate", _Truncate),
        ("xSync", _Sync),
        *[
            (name, c_void_p)
            for name in (
                "xFileSize", "xLock", "xUnlock", "xCheckReservedLock", "xFileControl", "xSectorSize",
                "xDeviceCharacteristics", "xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap", "xFetch", "xUnfetch",
            )
        ],
    ]  # fmt: skip


class _File(Structure):
    """sqlite3_file; what follows is the real VFS's own."""

    _fields_ = [("pMethods", POINTER(_Methods))]


# What SQLite refers to for as long as the process lives must not be collected.
_kept: list[object] = []


class CannotWatch(Exception):
    """This Python or its SQLite does not let us put a VFS in front of the real one."""


class _ThisThread(threading.local):
    """Where in the history the thread's operation has begun to sync the directory; None when it has not."""

    directory_sync: int | None = None


class Watch:
    """Records what SQLite does to the files of one directory. Connections opened after `install` are watched.

    :param recorder: where it goes
    """

    def __init__(self, recorder: Recorder) -> None:
        self.faults: list[BaseException] = []
        self._recorder = recorder
        self._names: dict[str, int] = {}
        self._files: dict[int, int] = {}  # numbers of files by the address of the sqlite3_file
        self._created = 0
        self._lock = threading.Lock()  # of the three above
        self._this_thread = _ThisThread()
        self._methods: dict[int, _Methods] = {}  # ours, by the address of the real ones

    def install(self) -> None:
        """Make every connection opened from now on a watched one.

        :raises CannotWatch: when the SQLite that the module sqlite3 uses is out of reach
        """
        library = _library_of_sqlite3()
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        self._real: _Vfs = library.sqlite3_vfs_find(None).contents
        if self._real.iVersion < 3:
            raise CannotWatch(f"SQLite's VFS {self._real.zName!r} has version {self._real.iVersion}, 3 is needed")
        self._watch_syncs_of_the_directory()
        self._ours = _Vfs.from_buffer_copy(self._real)
        self._ours.zName = b"watch"
        self._ours.xOpen = _Open(self._guarded(self._open))
        self._ours.xDelete = _Delete(self._guarded(self._delete))
        _kept.append(self)
        if library.sqlite3_vfs_register(ctypes.byref(self._ours), 1) != _OK:
            raise CannotWatch("SQLite has refused the VFS")

    def check(self) -> None:
        """Fail when the recording is not to be trusted.

        :raises CannotWatch: when nothing was recorded: then there are two SQLites in this process
        :raises BaseException: the first error inside a callback
        """
        if self.faults:
            raise self.faults[0]
        if not self._created:
            raise CannotWatch("SQLite has not used the VFS: the module sqlite3 uses another copy of the library")

    def _guarded(self, callback: Callable[..., int]) -> Callable[..., int]:
        """Keep the error of a callback: ctypes would print it and answer 0, that is success."""

        def guarded(*arguments: Any) -> int:
            try:
                return callback(*arguments)
            except BaseException as error:
                self.faults.append(error)
                return _IOERR

        return guarded

    def _watch_syncs_of_the_directory(self) -> None:
        """SQLite syncs a directory right after it has opened it, inside xSync or xDelete."""
        address = self._real.xGetSystemCall(ctypes.byref(self._real), b"openDirectory")
        if address is None:
            raise CannotWatch("SQLite's VFS has no system call openDirectory")
        real = _OpenDirectory(address)

        def open_directory(name: int, descriptor: int) -> int:
            self._this_thread.directory_sync = self._recorder.position()
            result: int = real(name, descriptor)
            return result

        ours = _OpenDirectory(self._guarded(open_directory))
        _kept.append(ours)
        self._real.xSetSystemCall(ctypes.byref(self._real), b"openDirectory", ctypes.cast(ours, c_void_p))

    def _record_sync_of_the_directory(self) -> None:
        begun, self._this_thread.directory_sync = self._this_thread.directory_sync, None
        if begun is not None:
            self._recorder.append(DirectorySynced(begun))

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, flags_out: int | None) -> int:
        with self._lock:
            result: int = self._real.xOpen(ctypes.addressof(self._real), name, file, flags, flags_out)
            if result != _OK or name is None or not flags & (_MAIN_DB | _MAIN_JOURNAL | _SUPER_JOURNAL | _WAL):
                return result
            short = _file_name(name)
            if short not in self._names:
                self._names[short] = self._created
                self._recorder.append(Created(short, self._created))
                self._created += 1
            self._files[file] = self._names[short]
            opened = _File.from_address(file)
            opened.pMethods = ctypes.pointer(self._watched_methods(opened.pMethods.contents))
            return result

    def _delete(self, _vfs: int, name: int, sync_directory: int) -> int:
        with self._lock:
            result: int = self._real.xDelete(ctypes.addressof(self._real), name, sync_directory)
            if result == _OK and self._names.pop(_file_name(name), None) is not None:
                self._recorder.append(Deleted(_file_name(name)))
                self._record_sync_of_the_directory()
            return result

    def _watched_methods(self, real: _Methods) -> _Methods:
        address = ctypes.addressof(real)
        if address not in self._methods:
            self._methods[address] = self._make_methods(real)
        return self._methods[address]

    def _make_methods(self, real: _Methods) -> _Methods:
        """A copy of the real methods with those replaced that change a file or sync it."""
        recorder = self._recorder

        def write(file: int, content: int, size: int, offset: int) -> int:
            result: int = real.xWrite(file, content, size, offset)
            if result == _OK:
                recorder.append(Written(self._files[file], offset, ctypes.string_at(content, size)))
            return result

        def truncate(file: int, size: int) -> int:
            result: int = real.xTruncate(file, size)
            if result == _OK:
                recorder.append(Truncated(self._files[file], size))
            return result

        def sync(file: int, flags: int) -> int:
            begun = recorder.position()
            result: int = real.xSync(file, flags)
            if result == _OK:
                recorder.append(Synced(self._files[file], begun))
                self._record_sync_of_the_directory()
            return result

        size = {1: _Methods.xShmMap.offset, 2: _Methods.xFetch.offset}.get(real.iVersion, ctypes.sizeof(_Methods))
        ours = _Methods()
        ctypes.memmove(ctypes.byref(ours), ctypes.byref(real), size)
        ours.xWrite = _Write(self._guarded(write))
        ours.xTruncate = _Truncate(self._guarded(truncate))
        ours.xSync = _Sync(self._guarded(sync))
        return ours


def _library_of_sqlite3() -> ctypes.CDLL:
    """The SQLite that the module sqlite3 uses: looked up in the module's own dependencies, or in Python itself."""
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    try:
        library.sqlite3_sourceid.restype = c_char_p
        found = library.sqlite3_sourceid().decode()
    except AttributeError:
        raise CannotWatch("the functions of SQLite are not visible in Python's module sqlite3") from None
    connection = sqlite3.connect(":memory:")
    (wanted,) = connection.execute("SELECT sqlite_source_id()").fetchone()
    connection.close()
    if found != wanted:
        raise CannotWatch(f"found SQLite {found!r}, but the module sqlite3 uses {wanted!r}")
    if library.sqlite3_compileoption_used(b"NO_SYNC"):
        raise CannotWatch("this SQLite was built to sync nothing (SQLITE_NO_SYNC)")
    return library


def _file_name(address: int) -> str:
    return Path(os.fsdecode(ctypes.string_at(address))).name
