"""Kafka and ClickHouse without Docker, and the supervision of everything that `hindcast up` starts."""
