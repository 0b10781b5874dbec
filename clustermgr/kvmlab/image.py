"""What guests boot from: boot sectors out of guest.S, and a small Linux out of Debian's own packages."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from clustermgr.kvmlab.layout import LabError
from clustermgr.kvmlab.processes import run

HERE = Path(__file__).parent
MODULES = (
    *("virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_balloon", "virtio-rng"),
    *("button", "evdev"),
)
FOLDERS = ("bin", "dev", "etc/acpi/PWRF", "proc", "run", "sbin", "sys", "tmp", "usr/sbin", "var/run")
DISK_MIB = 256


@dataclass(frozen=True, slots=True)
class Program:
    """What a boot sector guest does; see guest.S."""

    ticks_per_count: int = 36
    window_mib: int = 0
    pages_per_tick: int = 0
    obeys_power_button: bool = True


def boot_disk(program: Program, target: Path) -> None:
    """A qcow2 disk whose first sector is the program."""
    symbols = {
        "EVERY": program.ticks_per_count,
        "WINDOW": program.window_mib,
        "PAGES": program.pages_per_tick,
        "POWER": int(program.obeys_power_button),
    }
    with tempfile.TemporaryDirectory() as folder:
        code, raw = Path(folder, "guest.o"), Path(folder, "guest.raw")
        defines = [word for name, value in symbols.items() for word in ("--defsym", f"{name}={value}")]
        run("as", "--32", *defines, "-o", code, HERE / "guest.S")
        run("ld", "-m", "elf_i386", "-Ttext=0x7c00", "--oformat=binary", "-e", "start", "-o", raw, code)
        with raw.open("r+b") as disk:
            disk.truncate(DISK_MIB << 20)
        run("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", raw, target)


def empty_disk(target: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", target, f"{DISK_MIB}M")


def linux(cache: Path, target: Path) -> None:
    """Put `vmlinuz` and `initramfs.gz` into `target`, from the cache or freshly built into it.

    Raises LabError when the packages can neither be found nor downloaded.
    """
    init = (HERE / "guest-init.sh").read_bytes()
    stamp = hashlib.sha256(init + Path(__file__).read_bytes()).hexdigest()[:12]
    built = cache / f"linux-{stamp}"
    if not (built / "initramfs.gz").exists():
        cache.mkdir(parents=True, exist_ok=True)
        for older in cache.glob("linux-*"):
            shutil.rmtree(older)
        _build(cache, built)
    for name in ("vmlinuz", "initramfs.gz"):
        shutil.copyfile(built / name, target / name)


def _build(cache: Path, built: Path) -> None:
    kernel, agent = _packages(cache / "packages")
    with tempfile.TemporaryDirectory(dir=cache) as name:
        work = Path(name)
        run("dpkg-deb", "-x", kernel, work / "kernel")
        run("dpkg-deb", "-x", agent, work / "agent")
        root = work / "root"
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True)
        _copy_programs(work / "agent", root)
        _copy_modules(work / "kernel", root)
        _pack(root, work / "initramfs.gz")
        built.mkdir()
        shutil.copyfile(next((work / "kernel/boot").glob("vmlinuz-*")), built / "vmlinuz")
        shutil.move(work / "initramfs.gz", built / "initramfs.gz")


def _packages(folder: Path) -> tuple[Path, Path]:
    """The Debian packages of the kernel and the guest agent, downloaded once."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (_first(folder, "linux-image-*.deb") and _first(folder, "qemu-guest-agent_*.deb")):
        depends = run("apt-cache", "depends", "linux-image-cloud-amd64")
        found = re.search(r"Depends: (linux-image-\S+)", depends)
        if not found:
            raise LabError("apt knows no linux-image-cloud-amd64; run apt-get update first.")
        run("env", "-C", folder, "apt-get", "download", found[1], "qemu-guest-agent", timeout=180)
    kernel, agent = _first(folder, "linux-image-*.deb"), _first(folder, "qemu-guest-agent_*.deb")
    if kernel is None or agent is None:
        raise LabError("apt-get downloaded no kernel or no guest agent.")
    return kernel, agent


def _first(folder: Path, pattern: str) -> Path | None:
    return next(iter(sorted(folder.glob(pattern))), None)


def _copy_programs(agent: Path, root: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise LabError("The command “busybox” is missing; install busybox-static.")
    shutil.copy(busybox, root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    shutil.copy(agent / "usr/sbin/qemu-ga", root / "usr/sbin/qemu-ga")
    libraries = run("ldd", agent / "usr/sbin/qemu-ga")
    if "not found" in libraries:
        raise LabError("The guest agent's libraries are not on this machine; install qemu-guest-agent.")
    for library in re.findall(r"(/\S*lib\S+)", libraries):
        place = root / library.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)
    shutil.copy(HERE / "guest-init.sh", root / "init")
    (root / "init").chmod(0o755)


def _copy_modules(kernel: Path, root: Path) -> None:
    """The virtio drivers, which the cloud kernel has as modules."""
    library = next((kernel / "lib/modules").iterdir())
    version, target = library.name, root / "lib/modules" / library.name
    (target / "kernel").mkdir(parents=True)
    run("depmod", "-b", kernel, version)
    for name in ("modules.builtin", "modules.order"):
        shutil.copy(library / name, target / name)
    for module in MODULES:
        shown = run("modprobe", "-d", kernel, "-S", version, "--show-depends", module)
        for path in re.findall(r"^insmod (\S+)", shown, re.MULTILINE):
            shutil.copy(path, target / "kernel" / Path(path).name)
    run("depmod", "-b", root, version)


def _pack(root: Path, archive: Path) -> None:
    script = 'cd "$1" && find . | cpio -o -H newc --quiet | gzip -6 > "$2"'
    run("sh", "-c", script, "pack", root, archive)
