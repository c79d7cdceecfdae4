"""The command line: one file a noun; parse, one call, render."""
