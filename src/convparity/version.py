"""The version of what is installed."""

import importlib.metadata

__version__ = importlib.metadata.version("convparity")
