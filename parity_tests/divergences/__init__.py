"""Every known difference between PyTorch, Flax and Keras that touches convolutional networks.

``CATALOGUE`` holds the entries as data; no framework is imported before a demonstration runs.
``python -m parity_tests.divergences`` writes the pages that are made of it.
"""

from parity_tests.divergences import (
    activation,
    batchnorm,
    edges,
    initialisers,
    layout,
    loading,
    normalisation,
    numerics,
    padding,
    pooling,
    resize,
    striding,
    transposed,
)
from parity_tests.divergences.entry import Chapter, Divergence

CHAPTERS: tuple[Chapter, ...] = (
    layout.CHAPTER,
    padding.CHAPTER,
    striding.CHAPTER,
    transposed.CHAPTER,
    batchnorm.CHAPTER,
    normalisation.CHAPTER,
    initialisers.CHAPTER,
    activation.CHAPTER,
    pooling.CHAPTER,
    resize.CHAPTER,
    numerics.CHAPTER,
    edges.CHAPTER,
    loading.CHAPTER,
)
CATALOGUE: tuple[Divergence, ...] = tuple(
    entry for chapter in CHAPTERS for entry in chapter.entries
)

__all__ = ["CATALOGUE", "CHAPTERS", "Chapter", "Divergence"]
