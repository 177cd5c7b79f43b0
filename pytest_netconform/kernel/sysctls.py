"""The sysctls of one network namespace."""

from __future__ import annotations

from pathlib import Path

from pytest_netconform.documents.words import closest
from pytest_netconform.errors import BuildError
from pytest_netconform.facts import sysctls
from pytest_netconform.kernel.namespaces import Namespaces

ROOT = Path("/proc/sys")


def path_of(name: str) -> str:
    """Give the path under /proc/sys of a sysctl, by its name in either form.

    Raises: BuildError.
    """
    try:
        return sysctls.path_of(name)
    except ValueError as error:
        raise BuildError(str(error)) from None


def meant(path: str) -> str:
    """Name the sysctl that was probably meant by a path that this kernel does not have; nothing if it has it.

    Devices come and go, so that for one of them what stands for every device is looked at.
    """
    parts = path.split("/")
    if len(parts) == 5 and parts[2] in ("conf", "neigh"):
        parts[3] = "default"
    place = ROOT.joinpath(*parts[:-1])
    if not place.is_dir() or (place / parts[-1]).exists():
        return ""
    return closest(parts[-1], sorted(each.name for each in place.iterdir()))


class Sysctls:
    """Sysctls by name, in either form: `net.ipv4.ip_forward`, `net/ipv4/conf/eth0.5/forwarding`.

    A value that is a number reads as one.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def __getitem__(self, name: str) -> int | str:
        """Read a value.

        Raises: KeyError for one that this kernel does not have.
        """
        try:
            text = self._namespaces.call((ROOT / path_of(name)).read_text).strip()
        except (FileNotFoundError, NotADirectoryError):
            hint = self._namespaces.call(meant, path_of(name))
            raise KeyError(f"{self._namespaces.name} has no sysctl {name}{hint}") from None
        return int(text) if text.lstrip("-").isdecimal() else text

    def __setitem__(self, name: str, value: int | str) -> None:
        """Write a value, of the namespace's own: all but net belongs to the host.

        Raises: BuildError with the kernel's refusal.
        """
        path, where = path_of(name), self._namespaces.name
        if not path.startswith("net/"):
            raise BuildError(f"{where}: {name} belongs to the host; a namespace has only net of its own")
        try:
            self._namespaces.call(
                self._write, ROOT / path, f"{int(value) if isinstance(value, bool) else value}\n"
            )
        except FileNotFoundError:
            hint = self._namespaces.call(meant, path)
            raise BuildError(f"{where} has no sysctl {name}{hint}") from None
        except OSError as error:
            raise BuildError(f"{where}: sysctl {name}={value}: {error.strerror}") from error

    @staticmethod
    def _write(path: Path, text: str) -> None:
        with path.open("r+") as file:
            file.write(text)

    def __contains__(self, name: str) -> bool:
        return self._namespaces.call((ROOT / path_of(name)).exists)

    def get(self, name: str, default: int | str | None = None) -> int | str | None:
        """Read a value, or give *default* where this kernel does not have it."""
        try:
            return self[name]
        except KeyError:
            return default
