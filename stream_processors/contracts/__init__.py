"""A model's contract: what it promises, when it applies, how it is published and followed."""
