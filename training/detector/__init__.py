"""Finds the face detector's weights: `python -m training detector --help`."""
