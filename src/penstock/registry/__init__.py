"""Names with immutable versions and labels that move: prompts today, whatever else must be pinned and promoted later."""
