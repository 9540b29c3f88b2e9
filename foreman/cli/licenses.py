"""The components of Foreman and their licences."""

import importlib
import importlib.util
import platform
import re
import sys
import sysconfig
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from foreman import __version__
from foreman.db.sqlite import LIBRARY_VERSION
from foreman.requirements import requirements
from foreman.resources import shipped

# A requirement as of PEP 508: a name and perhaps extras, such as `psycopg[binary]==3.3.9; extra == "c"`.
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^]]*)\])?")
_FOR_EXTRA = re.compile(r"""extra == ["']([^"']+)["']""")
_TEXT = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)([.-](?!py).*)?", re.IGNORECASE)

_PUBLIC_DOMAIN = """\
The author disclaims copyright to this source code. In place of a legal notice, here is a blessing:

    May you do good and not evil.
    May you find forgiveness for yourself and forgive others.
    May you share freely, never taking more than you give.
"""


@dataclass(frozen=True)
class Part:
    """A licensed component, with the licence texts that came with it."""

    name: str
    version: str
    licence: str
    home: str
    texts: list[str]

    @property
    def heading(self) -> str:
        """Name, version and licence in one line."""
        return f"{self.name} {self.version}: {self.licence}"


def parts() -> list[Part]:
    """Foreman, the distributions it needs, Python and SQLite; in the executable also what it has inside."""
    found = [Part("foreman-ledger", __version__, "MIT", "", [_read(shipped("LICENSE"))])]
    found += [_part(each) for each in distributions()]
    python = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    version = platform.python_version()
    home = f"https://docs.python.org/{version.rpartition('.')[0]}/license.html"
    found.append(Part("Python", version, "PSF-2.0", home, [_read(python)] if python.exists() else []))
    home = "https://www.sqlite.org/copyright.html"
    found.append(Part("SQLite", LIBRARY_VERSION, "public domain", home, [_PUBLIC_DOMAIN]))
    if hasattr(sys, "frozen"):
        home = "https://zlib.net/zlib_license.html"
        found.append(Part("zlib", zlib.ZLIB_RUNTIME_VERSION, "Zlib", home, [_read(shipped("zlib.txt"))]))
        found.append(_part(distribution("pyinstaller")))
        if "pyexpat" in sys.builtin_module_names:  # as in Debian's Python, whose library then needs Expat's
            version = importlib.import_module("pyexpat").EXPAT_VERSION.removeprefix("expat_")
            found.append(Part("Expat", version, "MIT", "https://libexpat.github.io", [_read(shipped("expat.txt"))]))
        if importlib.util.find_spec("ssl"):
            version = importlib.import_module("ssl").OPENSSL_VERSION.split()[1]
            home = "https://openssl-library.org/source/license/"
            found.append(Part("OpenSSL", version, "Apache-2.0", home, [_read(shipped("openssl.txt"))]))
        for library in Path(sys.prefix).glob("libzstd.so.*"):  # as in Debian 13, whose OpenSSL needs it
            licence, home = "BSD-3-Clause AND MIT", "https://facebook.github.io/zstd/"
            found.append(Part("Zstandard", _zstd_version(library), licence, home, [_read(shipped("zstd.txt"))]))
    return found


def distributions(extras: Iterable[str] = ("metrics", "postgres", "redis")) -> list[Distribution]:
    """The distributions that Foreman needs, with what they require, sorted by name.

    Only those that are installed: others are for other platforms, or not wanted.

    :param extras: of pyproject.toml
    """
    found: dict[str, Distribution] = {}
    followed: set[tuple[str, str]] = set()
    wanted = [*requirements(), *(line for extra in extras for line in requirements(extra=extra))]
    while wanted:
        if (named := _REQUIREMENT.match(wanted.pop())) is None:
            continue
        name, its_extras = named[1], named[2] or ""
        if (name, its_extras) in followed:
            continue
        followed.add((name, its_extras))
        try:
            each = distribution(name)
        except PackageNotFoundError:
            continue
        found[each.name] = each
        for line in each.requires or []:
            for_extra = _FOR_EXTRA.search(line)
            if for_extra is None or for_extra[1] in its_extras.split(","):
                wanted.append(line)
    return sorted(found.values(), key=lambda each: each.name.lower())


def _part(each: Distribution) -> Part:
    about = each.metadata
    urls = [url.partition(", ")[2] for url in about.get_all("Project-URL", [])]
    home = next(iter([*about.get_all("Home-page", []), *urls]), "")
    texts = [Path(str(each.locate_file(file))) for file in each.files or [] if _TEXT.fullmatch(file.name)]
    return Part(
        each.name, each.version, _licence(each), home, list(dict.fromkeys(map(_read, filter(Path.exists, texts))))
    )


def _licence(each: Distribution) -> str:
    """The SPDX expression if there is one (https://peps.python.org/pep-0639/), else the older fields."""
    about = each.metadata
    classified = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License ::")
    ]
    said = [*about.get_all("License-Expression", []), *about.get_all("License", []), *classified]
    return next((text for text in said if text and "\n" not in text), "see the text")


def _zstd_version(library: Path) -> str:
    """The text that the library's ZSTD_versionString returns; the executable has no ctypes to call it."""
    found = re.search(rb"\0(\d+\.\d+\.\d+)\0", library.read_bytes())
    return found[1].decode() if found else "of unknown version"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
