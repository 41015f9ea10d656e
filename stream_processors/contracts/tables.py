"""Training data from a file, by its ending."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from producers.errors import ConfigError


def read_table(path: Path) -> pa.Table:
    """A table from a Parquet, CSV or Arrow (Feather) file.

    Raises:
        ConfigError: not there, of another ending, or not what its ending says.
    """
    readers = {
        ".parquet": pyarrow.parquet.read_table,
        ".csv": pyarrow.csv.read_csv,
        ".arrow": pyarrow.feather.read_table,
        ".feather": pyarrow.feather.read_table,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path}: a file ending in {', '.join(readers)} is wanted")
    try:
        return reader(path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or 'not a file of this kind'}") from None
    except pa.ArrowException:
        raise ConfigError(f"cannot read {path}: not a file of this kind") from None
