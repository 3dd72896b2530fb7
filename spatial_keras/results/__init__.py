"""What finished runs found: read, as tables, by variant, compared."""
