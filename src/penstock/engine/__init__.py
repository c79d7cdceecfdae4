"""Bind a flow to its callables and run one line of it."""
