"""What is compared: specs, their meaning, their weights, and what each framework makes of them.

The public names are those of ``convparity``; importing this imports no framework.
"""

if __name__ != "convparity.impls":
    raise ImportError(
        "this folder is a part of convparity, and no package of its own: import convparity, or "
        "convparity.impls"
    )
