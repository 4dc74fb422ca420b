"""Trains, calibrates and evaluates the bundles: `python -m training --help`. The service never imports this package."""
