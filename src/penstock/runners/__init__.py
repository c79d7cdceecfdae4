"""Move lines to workers."""
