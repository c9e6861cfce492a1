"""Every known difference between the frameworks that touches convolutional networks, by chapter.

The entries are plain statements: no framework is imported before a demonstration runs.
"""

from convparity.analysis.catalogue.entries import (
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
from convparity.analysis.catalogue.entry import Chapter, Divergence

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
