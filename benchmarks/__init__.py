"""How fast, beside something else, in one run."""
