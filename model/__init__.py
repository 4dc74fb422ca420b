"""The one path from photo to score: decode, find, align, encode, decide. Imports nothing else of ours."""
