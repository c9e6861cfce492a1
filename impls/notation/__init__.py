"""The text forms of a spec: JSON, which says everything, and one line, which people type."""

from convparity.impls.notation.json_form import from_json, to_json
from convparity.impls.notation.line_form import LAYER_WORDS, from_line, to_line

__all__ = ["LAYER_WORDS", "from_json", "from_line", "to_json", "to_line"]
