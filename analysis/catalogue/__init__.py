"""The known differences between the frameworks."""
