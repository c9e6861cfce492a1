"""The subcommands of ``convparity``, one file each. They import what they need when they run."""
