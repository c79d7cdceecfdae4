"""Templates, chat messages and images: what is sent to a model, safe against what is in the data."""
