"""The keys of every file format, each with its JSON Schema: what the loaders know and what editors are told, said once."""
