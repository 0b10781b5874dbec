"""Measurements of clustermgr (docs/performance.md): `make bench`. They report; no test asserts a time."""
