"""Training and evaluation of the face detector: `python -m training detector --help`."""
