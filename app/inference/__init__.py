"""The encoder and the worker threads that run it."""
