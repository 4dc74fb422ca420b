"""Everything from an image file to a score: decoding, detection, alignment, encoding and calibration.

Imports nothing from the other packages of this project.
"""
