"""A case in one line, judged again, or written as a script of one framework."""
