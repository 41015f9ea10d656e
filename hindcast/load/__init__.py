"""`hindcast load`: history from a file into the record, as a backfill that can be interrupted and goes on."""
