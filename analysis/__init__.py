"""What is learnt from the implementations: what they cost, and whether they agree."""
