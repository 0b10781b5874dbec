"""`manage.py up`: starts the processes of an installation, keeps them alive and ends them together.

Knows processes, not clusters: what they do is theirs. Only first_start.py touches the database.
"""
