"""Parameters too long for a URL: clickhouse-connect sends them as a form above 4,096 characters."""

from __future__ import annotations

import clickhouse_connect
import pytest

from hindcast.local.clickhouse_door.failures import QueryFailed
from hindcast.local.clickhouse_door.form import form_fields


def test_long_parameters_arrive_whole(clickhouse: str) -> None:
    """A bound array of 100 kB with quotes, line ends and letters beyond ASCII comes back as it was."""
    names = [f"it's n° {place}\r\n" for place in range(5_000)]
    client = clickhouse_connect.get_client(dsn=clickhouse)
    assert client.query("SELECT {names:Array(String)}", parameters={"names": names}).result_rows == [(names,)]


def test_external_data_is_refused_by_name() -> None:
    """A file among the form's parts is external data, which the door does not serve and says so."""
    part = b'--x\r\nContent-Disposition: form-data; name="t"; filename="t"\r\n\r\n1\n\r\n--x--\r\n'
    with pytest.raises(QueryFailed, match="external data"):
        form_fields("multipart/form-data; boundary=x", part)
