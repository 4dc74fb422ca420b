"""The measurements of `make bench-gallery`."""
