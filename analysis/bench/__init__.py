"""Measured time and memory: every figure is a ratio of calls that took turns in one run."""
