"""The profiler: every prediction counted into sketches, columnar, in transactions with its offsets.

``columns``, ``slicing``, ``counting`` and ``messages`` are pure: events in, sketches and messages out; the reference sketches of a training set are
made by the same code. ``session`` speaks to Kafka; ``process`` keeps a session alive.
"""
