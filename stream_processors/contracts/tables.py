"""Training data from a file, by its ending."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pyarrow.types as pat

from producers.columns import refuse_repeated
from producers.errors import ConfigError

# whole numbers as nobody writes a quantity, and as Arrow reads one
_CODE = r"^\s*(?:[-+]?0[0-9]+|\+[0-9]+|0[xX][0-9a-fA-F]+)\s*$"
_SEPARATORS = {b";": "semicolons", b"\t": "tabs"}
_LONGEST_HEADER = 10_000_000


def read_table(path: Path) -> pa.Table:
    """A table from a Parquet, CSV or Arrow (Feather) file.

    A column of a CSV is of the type that all its values can be of. One in which a whole number has leading zeros, a plus sign or hex digits
    (``02134``, ``+41``, ``0x1F``) is text, as written: such are codes, which no number holds.

    Raises:
        ConfigError: not there, of another ending, or not what its ending says; two columns of one name; a CSV without commas.
    """
    readers = {
        ".parquet": _parquet,
        ".csv": _csv,
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


def _csv(path: Path) -> pa.Table:
    _refuse_other_separators(path)
    table = pyarrow.csv.read_csv(path)
    refuse_repeated(table.column_names)
    for place, one in enumerate(table.schema):
        if pat.is_string(one.type):
            # a blank cell is none, as for `hindcast load`
            texts = table.column(place)
            filled = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
            table = table.set_column(place, one.name, filled)
    numbers = [one.name for one in table.schema if pat.is_integer(one.type) or pat.is_floating(one.type)]
    if not numbers:
        return table
    as_text = pyarrow.csv.ConvertOptions(
        include_columns=numbers,
        column_types=dict.fromkeys(numbers, pa.string()),
        # what is no number in the column is none in its text
        strings_can_be_null=True,
    )
    written = pyarrow.csv.read_csv(path, convert_options=as_text)
    for name in numbers:
        if pc.any(pc.match_substring_regex(written.column(name), _CODE)).as_py():
            table = table.set_column(table.column_names.index(name), name, written.column(name))
    return table


def _refuse_other_separators(path: Path) -> None:
    """Refuse a file whose columns stand apart by semicolons or tabs: it would be one column of text."""
    with path.open("rb") as file:
        header = file.readline(_LONGEST_HEADER)
    found = [name for separator, name in _SEPARATORS.items() if separator in header]
    if found and b"," not in header:
        raise ConfigError(f"{path} has {' and '.join(found)} between its columns: commas are wanted")


def _parquet(path: Path) -> pa.Table:
    """The file's rows; Arrow refuses a name that stands twice without saying so."""
    refuse_repeated(pyarrow.parquet.read_schema(path).names)
    return pyarrow.parquet.read_table(path)
