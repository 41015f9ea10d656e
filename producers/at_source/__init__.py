"""A model's contract kept where its events are made: kinds checked, personal data protected, events sampled, before any leaves the process."""
