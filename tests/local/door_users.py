"""The passwords of the tests' door: with everything that URLs and settings files might trip over."""

PASSWORD = "open sesame/%&\"'"
ANALYST_PASSWORD = "look only"
