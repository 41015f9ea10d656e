-- A user who only reads, for a ClickHouse server; `hindcast analyst NAME` runs it. {name} is letters, digits and underscores, {hash} and {salt}
-- are hexadecimal: nothing else is ever put into these statements.
-- Reads tables and views of one database and may set what changes the form of an answer (readonly = 2: clients do), but none of the limits.
CREATE SETTINGS PROFILE OR REPLACE {name}_limits{on_cluster} SETTINGS
    readonly = 2 CONST,
    max_execution_time = {max_execution_time} CONST,
    max_memory_usage = {max_memory_usage} CONST,
    max_result_rows = {max_result_rows} CONST,
    result_overflow_mode = 'throw' CONST,
    timeout_overflow_mode = 'throw' CONST,
    max_concurrent_queries_for_user = 16 CONST;
CREATE USER OR REPLACE {name}{on_cluster}
    IDENTIFIED WITH sha256_hash BY '{hash}' SALT '{salt}'
    DEFAULT DATABASE {database}
    SETTINGS PROFILE '{name}_limits';
CREATE QUOTA OR REPLACE {name}_hourly{on_cluster} KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 20000, execution_time = 3600
    TO {name};
GRANT{on_cluster} SELECT, SHOW ON {database}.* TO {name};
