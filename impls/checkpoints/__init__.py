"""One file a format of weights: the way to read it, and what makes a file of it untrustworthy."""

from convparity.impls.checkpoints import own, pytorch

FORMATS = (own, pytorch)  # each has SUFFIXES, looks_like and read
PACKAGES = pytorch.PACKAGES  # network -> the package that brings its released file
