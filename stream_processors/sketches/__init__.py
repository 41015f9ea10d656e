"""Sketches: exact, mergeable counts of numeric and categorical columns, per key.

Pure: no broker, no database, no clock. An analyst begins with ``sketch_of`` (one column) and ``sketch_table`` (all of a table), which take pandas,
polars and Arrow; ``NumericSketch`` and ``CategoricalSketch`` are the values, ``TableSketch`` those of all columns, to and from Arrow and Avro.
The profiler makes the same by ``Accumulator``, from batches; ``columns`` reads and writes them as records of ``schemas/sketch.v1.avsc``;
``slices`` names what they count.
"""

from stream_processors.sketches.accumulate import Accumulator, Batch, DrainedRows, KeySketches
from stream_processors.sketches.arrow_rows import SKETCH_SCHEMA
from stream_processors.sketches.bins import (
    DEFAULT_PRECISION,
    MAX_PRECISION,
    bin_upper_edge,
    coarsen,
    histogram_bins,
    midpoint,
)
from stream_processors.sketches.categorical import (
    MAX_NAME_LENGTH,
    MAX_NAMES,
    AlignedCounts,
    CategoricalSketch,
    align,
)
from stream_processors.sketches.column_rows import CATEGORICAL_ROW, NUMERIC_ROW, ColumnRows
from stream_processors.sketches.columns import (
    categorical_record,
    categorical_sketch,
    numeric_record,
    numeric_sketch,
)
from stream_processors.sketches.encoding import NumericColumn
from stream_processors.sketches.grouping import Grouping
from stream_processors.sketches.hashing import BUCKETS, bucket, hashes
from stream_processors.sketches.numeric import MAX_BINS, NumericSketch
from stream_processors.sketches.of_table import sketch_of, sketch_table
from stream_processors.sketches.slices import OTHER, REST, WHOLE, parse_slice, slice_name
from stream_processors.sketches.string_encoding import CategoricalColumn
from stream_processors.sketches.table_sketch import ColumnSketch, TableSketch

__all__ = [
    "BUCKETS",
    "CATEGORICAL_ROW",
    "DEFAULT_PRECISION",
    "MAX_BINS",
    "MAX_NAMES",
    "MAX_NAME_LENGTH",
    "MAX_PRECISION",
    "NUMERIC_ROW",
    "OTHER",
    "REST",
    "SKETCH_SCHEMA",
    "WHOLE",
    "Accumulator",
    "AlignedCounts",
    "Batch",
    "CategoricalColumn",
    "CategoricalSketch",
    "ColumnRows",
    "ColumnSketch",
    "DrainedRows",
    "Grouping",
    "KeySketches",
    "NumericColumn",
    "NumericSketch",
    "TableSketch",
    "align",
    "bin_upper_edge",
    "bucket",
    "categorical_record",
    "categorical_sketch",
    "coarsen",
    "hashes",
    "histogram_bins",
    "midpoint",
    "numeric_record",
    "numeric_sketch",
    "parse_slice",
    "sketch_of",
    "sketch_table",
    "slice_name",
]
