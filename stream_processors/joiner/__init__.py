"""Joins label facts to predictions and measures quality: both are answers from the record, at the pace of the truth.

The joiner keeps no events. Kafka tells it how far the record has come; ClickHouse says what is so. Every outcome is a pure function of
one fact and its prediction, every revision of a window's quality one of the facts appended up to it, so a restart, a second worker or a
kill at any point gives the same rows again, and tables keep the first.
"""
