"""How a host is signed in to, and what a first look at it found. Values only; opening is each driver's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from clustermgr.drivers.contract import HostFacts, VolumeSight

Level = Literal["error", "warning", "ok"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one host's connection needs besides its address. Empty text = not given. A driver that signs in to
    nothing ignores it. Private keys stay out of its repr.

    Paths are those of the machines on which the workers run. A text counts before a path.
    """

    ssh_key: str = field(default="", repr=False)  # a private key, as OpenSSH or PEM text, without passphrase
    ssh_key_file: str = ""
    host_key: str = ""  # pinned: lines "ssh-ed25519 AAAA…", without host name; other keys are refused
    tls_ca: str = ""  # PEM
    tls_cert: str = ""  # PEM
    tls_key: str = field(default="", repr=False)  # PEM
    tls_folder: str = ""  # holds cacert.pem, clientcert.pem, clientkey.pem


@dataclass(frozen=True, slots=True)
class ProbeFinding:
    """`error`: it cannot be added like this; `warning`: it can, and this will be missed; `ok`: seen well."""

    level: Level
    what: str  # one sentence
    advice: str = ""  # what to do, one or two sentences


@dataclass(frozen=True, slots=True)
class Probe:
    """What a test of the connection found. `facts` is None when nobody signed in."""

    host_keys: tuple[str, ...] = ()  # offered by the host now: "ssh-ed25519 AAAA…"
    findings: tuple[ProbeFinding, ...] = ()
    facts: HostFacts | None = None
    volumes: tuple[VolumeSight, ...] = ()
    vms: int = 0

    @property
    def usable(self) -> bool:
        """Whether the host was seen and nothing forbids adding it."""
        return self.facts is not None and not any(finding.level == "error" for finding in self.findings)

    def found(self, level: Level, what: str, advice: str = "") -> Probe:
        """The same with one finding more."""
        return replace(self, findings=(*self.findings, ProbeFinding(level, what, advice)))
