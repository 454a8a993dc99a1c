"""Debian's packages for the machine, and a Debian root as a base image where none can be pulled."""

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from bringup.context import Context
from bringup.errors import BringUpError
from bringup.keys import key_of
from bringup.shell import Options

_AUTHORITIES = Path("/usr/local/share/ca-certificates")
# What Debian's own slim images leave out.
_LEFT_OUT = ("doc", "info", "man", "locale", "lintian", "linda", "groff")
_KEPT_LICENCES = "/usr/share/doc/*/copyright"


def install_packages(context: Context, packages: Sequence[str]) -> None:
    """Installs those of the packages on this machine that it does not have."""
    packages = [name for name in packages if not _installed(context, name)]
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise BringUpError(f"please install {', '.join(packages)}: this machine has no apt-get")
    if os.geteuid() != 0:
        raise BringUpError(f"please install {', '.join(packages)}, or run this as root")
    with context.reporter.step(f"machine: installing {', '.join(packages)}"), _apt(context):
        # In this run level packages do not start their services: what runs is started, and stopped, by who needs it.
        quiet = Options(env={"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"})
        context.shell.run("apt-update", ["apt-get", "update"], quiet)
        context.shell.run("apt-install", ["apt-get", "install", "--yes", *packages], quiet)


def unpacked(context: Context, package: str) -> Path:
    """The files of a package, which is not installed: for a program that only tests run, and no service comes with."""
    if not shutil.which("apt-get"):
        raise BringUpError(f"please install {package}: this machine has no apt-get")

    def make(partial: Path) -> None:
        with context.reporter.step(f"machine: unpacking {package}"), _apt(context):
            if os.geteuid() == 0:
                context.shell.run("apt-update", ["apt-get", "update"])
            context.shell.run("apt-download", ["apt-get", "download", package], Options(cwd=partial))
            (archive,) = partial.glob("*.deb")
            context.shell.run("dpkg-deb", ["dpkg-deb", "--extract", archive, partial])
            archive.unlink()

    return context.store.ensure(f"package-{package}", key_of([_release()]), make)


def _apt(context: Context) -> AbstractContextManager[None]:
    """One use of apt at a time: it refuses to work for two, and layers of tests that are brought up side by side may both need it."""
    return context.store.locked("apt")


def _release() -> str:
    """Of the machine: another one has other packages."""
    return Path("/etc/os-release").read_text()


def _installed(context: Context, package: str) -> bool:
    said = context.shell.ask(["dpkg-query", "--show", "--showformat", "${Status}", package])
    return said == "install ok installed"


def mirror_of(sources: str) -> str | None:
    """The machine's own mirror of Debian, from the text of its apt sources of either style."""
    addresses = re.findall(r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+)", sources, re.MULTILINE)
    for address in addresses:
        if address.rstrip("/").endswith("/debian"):
            return str(address)
    return None


def root_archive(context: Context, suite: str) -> Path:
    """A tar file of a minimal Debian root that trusts the authorities which this machine trusts."""
    if os.geteuid() != 0:
        raise BringUpError(f"debian:{suite}-slim cannot be pulled, and making it with debootstrap needs root")
    if not shutil.which("debootstrap", path=context.shell.search_path):
        install_packages(context, ["debootstrap"])
    mirror = mirror_of("\n".join(_sources())) or ""
    authorities = sorted(_AUTHORITIES.glob("*.crt"))
    key = key_of([suite, mirror, "1"], authorities)

    def make(partial: Path) -> None:
        with context.reporter.step(f"base: debootstrap of {suite}"):
            _bootstrap(context, suite, mirror, authorities, partial)

    return context.store.ensure(f"debian-{suite}", key, make) / "root.tar"


def _bootstrap(context: Context, suite: str, mirror: str, authorities: list[Path], partial: Path) -> None:
    root = partial / "root"
    argv: list[str | Path] = ["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, root]
    context.shell.run(f"debootstrap-{suite}", [*argv, mirror] if mirror else argv)
    for certificate in authorities:
        shutil.copy(certificate, root / "usr/local/share/ca-certificates")
    context.shell.run(f"authorities-{suite}", ["chroot", root, "update-ca-certificates"])
    for name in _LEFT_OUT:
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for place in ("var/cache/apt", "var/lib/apt/lists", "var/log"):
        shutil.rmtree(root / place)
        (root / place).mkdir()
    rules = [f"path-exclude /usr/share/{name}/*" for name in _LEFT_OUT]
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text("\n".join([*rules, f"path-include {_KEPT_LICENCES}", ""]))
    (root / "etc/apt/apt.conf.d/slim").write_text('APT::Install-Recommends "false";\n')
    context.shell.run(f"archive-{suite}", ["tar", "-C", root, "-cf", partial / "root.tar", "."])
    shutil.rmtree(root)


def _sources() -> list[str]:
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    return [
        p.read_text(errors="replace") for p in places if p.suffix in {".list", ".sources"} and p.is_file()
    ]
