"""Metrics over runs."""
