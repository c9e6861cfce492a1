"""``python -m convparity`` is the command ``convparity``."""

from convparity.analysis.cli import main

main()
