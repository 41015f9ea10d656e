"""`hindcast export`, `import` and `verify`: the record, or a model's part of it, as Parquet files with a manifest."""
