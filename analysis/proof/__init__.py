"""The proof: data that tell right from wrong, what rounding may do to them, and the verdict."""
