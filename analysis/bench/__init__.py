"""Measured side by side in one run: speeds as ratios, and how cost grows."""
