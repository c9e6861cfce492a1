"""One file a format of weights: the way to read it, and what makes a file of it untrustworthy."""
