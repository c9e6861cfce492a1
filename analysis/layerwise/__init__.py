"""Where two networks part: both as trees, compared layer by layer."""
