"""Look back: the read side in Python."""
