"""ClickHouse's HTTP interface in front of chDB, the ClickHouse engine as a library.

One process owns one data directory and serves it on loopback, so that every client of ClickHouse's HTTP interface
works against it as against a server. Sources: ClickHouse's documentation of the HTTP interface, and the behaviour of
its `HTTPHandler`.
"""
