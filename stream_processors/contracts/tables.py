"""Training data from a file, by its ending."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from producers.columns import refuse_repeated
from producers.errors import ConfigError


def read_table(path: Path) -> pa.Table:
    """A table from a Parquet, CSV or Arrow (Feather) file.

    Raises:
        ConfigError: not there, of another ending, or not what its ending says; two columns of one name.
    """
    readers = {
        ".parquet": _parquet,
        ".csv": pyarrow.csv.read_csv,
        ".arrow": pyarrow.feather.read_table,
        ".feather": pyarrow.feather.read_table,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path}: a file ending in {', '.join(readers)} is wanted")
    try:
        table = reader(path)
        refuse_repeated(table.column_names)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or 'not a file of this kind'}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read {path}: the names of its columns are not UTF-8") from None
    except pa.ArrowException:
        raise ConfigError(f"cannot read {path}: not a file of this kind") from None
    return table


def _parquet(path: Path) -> pa.Table:
    """The file's rows; Arrow refuses a name that stands twice without saying so."""
    refuse_repeated(pyarrow.parquet.read_schema(path).names)
    return pyarrow.parquet.read_table(path)
