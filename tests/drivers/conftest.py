"""Fixtures of the driver tests."""

from __future__ import annotations

from tests.drivers.lab_case import case as case
from tests.kvm import kvm_lab as kvm_lab
