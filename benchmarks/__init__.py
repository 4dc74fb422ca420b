"""Speed benchmarks: facetwin beside other libraries, measured in one run on one machine."""
