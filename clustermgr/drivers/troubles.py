"""The errors of every driver: a small family, each with a sentence. Owns no rule of when they are raised."""

from __future__ import annotations


class DriverError(Exception):
    """A host did not do what it was asked. The text is a sentence for an administrator."""

    def __init__(self, sentence: str, *, raw: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.raw = raw  # the hypervisor's own words, shown on demand


class HostUnreachable(DriverError):
    """No answer within the deadline: the host may or may not have acted."""


class AgentDown(HostUnreachable):
    """The machine answers, its hypervisor daemon does not (connection refused)."""


class NotFound(DriverError):
    """The host knows no such VM, volume or file."""


class Busy(DriverError):
    """Another job holds the VM."""


class Unsupported(DriverError):
    """This host cannot do that at all."""


class Refused(DriverError):
    """The host said no, before anything was done."""


class Failed(DriverError):
    """The host tried and failed."""
