"""Spans and events of an execution."""
