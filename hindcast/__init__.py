"""The front door: command line, the local stack, the demo."""
