"""Finds the weights: `python -m training --help`. The service never imports this package."""
