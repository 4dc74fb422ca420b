"""The error of everything that reads photos, lists and prepared crops."""


class DataError(Exception):
    """Photos, lists or files are missing or malformed. The message says what is wrong, then what to do."""
