"""Fixtures of the driver tests."""

from __future__ import annotations

from tests.kvm import kvm_lab as kvm_lab
