"""The errors that a host driver raises: one small family, each with a sentence for an administrator."""

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


class TooLate(Refused):
    """The call was not made: its permit had run out (drivers/permits.py). The host never heard of it."""


class Failed(DriverError):
    """The host tried and failed."""
