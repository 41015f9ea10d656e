"""The example output in the header of each query: `python tests/evaluation/example_outputs.py` writes them into sql/queries."""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from evaluation.history import History
from evaluation.queries import find_query, shipped_queries
from hindcast.cli.answers import write_answer
from stream_processors.sql_files import sql_files

ROWS = 3


def example_output(history: History, name: str) -> str:
    """The first rows of a query's example over the known history, as `hindcast query` prints them."""
    answer, out = history.query(name, **find_query(name).example), io.StringIO()
    write_answer(answer.slice(0, ROWS), "table", out)
    return out.getvalue().rstrip()


def with_output(text: str, output: str) -> str:
    """A query's text with this example output below its example."""
    lines = "".join(f"--   {line}\n" for line in output.splitlines())
    without = re.sub(r"^-- output:\n(?:--  .*\n)*", "", text, flags=re.MULTILINE)
    return re.sub(
        r"^(-- example: .*\n(?:-- plot: .*\n)?)",
        lambda found: f"{found[1]}-- output:\n{lines}",
        without,
        flags=re.MULTILINE,
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from known_history import insert, known_history
    from recorded_rows import migrated_record
    from services import running_clickhouse

    with (
        tempfile.TemporaryDirectory() as directory,
        running_clickhouse(Path(directory)) as url,
        migrated_record(url) as record,
    ):
        insert(known_history(), record)
        with History(record.store.settings) as door:
            for path in sql_files("queries"):
                assert path.stem in shipped_queries()
                text = path.read_text(encoding="utf-8")
                path.write_text(with_output(text, example_output(door, path.stem)), encoding="utf-8")
