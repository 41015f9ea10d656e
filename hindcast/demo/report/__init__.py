"""The demo's report: figures read back from ClickHouse, shown in the terminal and as one HTML page."""
