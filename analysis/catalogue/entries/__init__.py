"""The entries: one file a chapter, which imports its frameworks in the demonstrations alone."""
