"""How good each window of event time was: counts, sums and figures per slice, recomputed whole whenever facts came in."""
