"""Which known fault gives the output that was seen."""
