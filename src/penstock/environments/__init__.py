"""Interpreters of their own for flows whose requirements differ from what is installed beside Penstock."""
