"""What is found out: whether the implementations agree, where they part and why, what they cost."""

if __name__ != "convparity.analysis":
    raise ImportError(
        "this folder is a part of convparity, and no package of its own: import convparity, or "
        "convparity.analysis"
    )
