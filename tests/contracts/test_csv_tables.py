"""A CSV is read with the types that people mean."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from contract_command import run

from producers.errors import ConfigError
from stream_processors.contracts.tables import read_table


def read(folder: Path, text: str) -> pa.Table:
    """The table in a CSV of this text."""
    (folder / "t.csv").write_text(text)
    return read_table(folder / "t.csv")


@pytest.mark.parametrize(
    "code", ["02134", "00", "-007", "+41", "0x1F", " 007", '"007"', "0123456789012345678901"]
)
def test_a_column_of_codes_is_text_as_written(tmp_path: Path, code: str) -> None:
    """One code makes it one, wherever it stands; what is missing stays missing."""
    values = ["10", "15", "", "NA", code]
    table = read(tmp_path, "".join(f"{one},7\n" for one in ["code", *values]).replace("code,7", "code,n"))
    assert table.schema.types == [pa.string(), pa.int64()]
    assert table.column("code").to_pylist() == ["10", "15", None, None, code.strip('"')]


def test_a_blank_cell_is_none(tmp_path: Path) -> None:
    """Of whatever type its column is; words such as NA among texts are texts."""
    table = read(tmp_path, 'country,n\nNA,1\n,\n"",NA\nDE,2\n')
    assert table.to_pydict() == {"country": ["NA", None, None, "DE"], "n": [1, None, None, 2]}


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    """A zero, one before a point, signs and exponents are how numbers are written."""
    table = read(tmp_path, "a,b,c\n0,0.5,-0\n-1,-00.5,10\n100,1e5,0\n7,+1.5,\n")
    assert table.schema.types == [pa.int64(), pa.float64(), pa.int64()]
    assert table.column("b").to_pylist() == [0.5, -0.5, 1e5, 1.5]


def test_a_code_far_down_counts(tmp_path: Path) -> None:
    """The rule is about all rows, however the file is cut into blocks."""
    rows = 400_000
    table = read(tmp_path, "zip,n\n" + "12345,1\n" * rows + "02134,1\n")
    assert table.column("zip").type == pa.string()
    assert table.column("zip")[rows].as_py() == "02134"
    assert table.column("n").type == pa.int64()


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_file_without_commas_is_refused_with_a_hint(tmp_path: Path, separator: str, name: str) -> None:
    """It would be one feature with the name of all; decimal commas change nothing."""
    for rows in ("1;2\n", "1,5;2\n"):
        text = f"zip;amt\n{rows}".replace(";", separator)
        with pytest.raises(ConfigError, match=f"has {name} between its columns: commas are wanted"):
            read(tmp_path, text)
    assert read(tmp_path, f'"a{separator}b",c\n1,2\n').column_names == [f"a{separator}b", "c"]
    assert read(tmp_path, "amt\n1\n").column_names == ["amt"]


def test_codes_are_categories_of_a_contract(tmp_path: Path) -> None:
    """Which a service that sends them as text keeps."""
    data, output = tmp_path / "t.csv", tmp_path / "m.yaml"
    data.write_text("zip,amount\n02134,1\n00501,2\n10001,3\n")
    assert run("infer", data, "--model", "m", "--output", output).exit_code == 0
    assert "zip: {kind: categorical, required: true}" in output.read_text()
    assert run("check", output, "--data", data).exit_code == 0
