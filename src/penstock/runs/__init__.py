"""Batch runs: data, mapping, the batch itself, resume, summary."""
