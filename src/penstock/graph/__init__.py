"""The flow as pure values: references, nodes, flows, types, and the checks on them. No files, no clock, no async."""
