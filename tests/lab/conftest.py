"""Orders on real nodes, and trouble in the middle of them."""

from __future__ import annotations

from tests.jobs.test_on_kvm import plant as plant
from tests.kvm import kvm_lab as kvm_lab
