"""Attacks on the service, one file for each kind of fault: `make trust`."""
