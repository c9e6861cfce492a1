"""The known differences between the frameworks, and the demonstrations that show them."""
