"""Runs on disk: a journal a run, an SQL index over them, snapshots of flows."""
