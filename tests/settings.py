"""The product's settings in a private environment: no test may touch a real installation.

pytest-django reads the settings before any conftest runs, so the environment is made here and not there.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PRIVATE = Path(tempfile.mkdtemp(prefix="clustermgr-tests-"))

os.environ["CLUSTERMGR_VAR"] = str(PRIVATE)
os.environ["REDIS_URL"] = f"unix://{PRIVATE / 'no-redis.sock'}"
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.pop("CLUSTERMGR_TLS", None)
os.environ.pop("DATABASE_URL", None)
if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
# Programs that tests start are the product itself, with an environment that the test gives them.
os.environ["DJANGO_SETTINGS_MODULE"] = "clustermgr.settings"

from clustermgr.settings import *  # noqa: E402, F403
