"""Work it out: profiler, recorder, joiner and monitor over a pure core."""
