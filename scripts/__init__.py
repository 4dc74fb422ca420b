"""Checks of the containers, and what they share."""
