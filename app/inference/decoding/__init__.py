"""Photos are decoded in processes that can be killed: decision 22."""
