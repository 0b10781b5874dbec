"""Who this installation is to the hosts: one row. Its id and epoch stand in the stamp of every managed VM."""

from __future__ import annotations

from django.db import models


class Installation(models.Model):
    """The only row has id 1. `epoch` grows with each take-over, so that an older twin sees that it is old."""

    manager_id = models.CharField(max_length=36)
    epoch = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="installation_once")]

    def __str__(self) -> str:
        return f"{self.manager_id} epoch {self.epoch}"
