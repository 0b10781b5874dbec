"""Simulated hosts: a world whose state is a function of what was ordered and of time. No Django in here."""
