"""A run from its configuration to its results: what the scripts of these names do."""
