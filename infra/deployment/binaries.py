"""Whether the functions that were built run where they are deployed.

Lambda would find out at their start, at the first webhook: a function of another architecture answers "exec format error",
one that was linked on a newer system "version GLIBC_2.36 not found".
"""

import os
import platform
import re
import zipfile

from .console import refuse

# The C library of Amazon Linux 2023, on which the runtime provided.al2023 stands.
GLIBC = (2, 34)
ARCHITECTURES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
HERE = {"aarch64": "arm64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
BUILD = {True: "`make functions`, then run this again", False: "`make build` (ARCH=arm64 for arm64), then run this again"}


def check(functions, built, architecture, emulated):
    """Refuses what is not built, or was built for another place. An emulator runs functions on this machine, whatever its
    C library is."""
    expected = HERE if emulated else architecture
    missing = [name for name in functions if not (built / name / "bootstrap").is_file()]
    if missing:
        refuse(f"{', '.join(missing)} not built", BUILD[emulated])
    wrong = [f"{name} {problem}" for name in functions
             if (problem := problem_of(built / name / "bootstrap", expected, None if emulated else GLIBC))]
    if wrong:
        where = "this machine" if emulated else f"Lambda's {architecture} on Amazon Linux 2023"
        refuse(f"what was built does not run on {where}:\n  " + "\n  ".join(wrong), BUILD[emulated])


def packages(built, template):
    """A template's text whose functions are archives beside their folders. Equal binaries make equal archives, so that what
    did not change is neither made, nor sent, nor deployed again."""

    def package(match):
        name = match[1]
        binary, archive = built / name / "bootstrap", built / f"{name}.zip"
        if not archive.exists() or archive.stat().st_mtime <= binary.stat().st_mtime:
            entry = zipfile.ZipInfo("bootstrap")
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o755 << 16
            new = archive.with_suffix(f".{os.getpid()}.new")
            with zipfile.ZipFile(new, "w") as into:
                into.writestr(entry, binary.read_bytes())
            new.replace(archive)
        return str(archive)

    return re.sub(r"\.\./target/lambda/([a-z-]+)/", package, template)


def problem_of(path, architecture, glibc):
    """Why a binary does not run on an architecture with a C library; nothing if it does. Without a C library named, what is
    no Linux binary at all is taken for this machine's own."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    with open(path, "rb") as file:
        try:
            elf = ELFFile(file)
            machine = elf["e_machine"]
            needs = needed_of(elf)
        except ELFError:
            return None if glibc is None else "is not a Linux binary"
    if machine != ARCHITECTURES[architecture]:
        known = {name: ours for ours, name in ARCHITECTURES.items()}
        return f"was built for {known.get(machine, machine)}, not {architecture}"
    if glibc and needs > glibc:
        return f"needs glibc {'.'.join(map(str, needs))}, and there is {'.'.join(map(str, glibc))}"
    return None


def needed_of(elf):
    """The newest version of the C library that a binary asks for; (0,) if it asks for none."""
    from elftools.elf.gnuversions import GNUVerNeedSection

    newest = (0,)
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                for version in versions:
                    family, _, number = version.name.partition("_")
                    if family == "GLIBC" and number[:1].isdigit():
                        newest = max(newest, tuple(map(int, number.split("."))))
    return newest
