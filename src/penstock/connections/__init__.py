"""Endpoints and their keys: typed, encrypted at rest, resolved in a documented order."""
