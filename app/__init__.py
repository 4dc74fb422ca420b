"""The service: HTTP around the one path from photo to score in `model`."""
