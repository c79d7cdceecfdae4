"""The well-known package tools, under the ids that flows name them by, and the requests they send."""
