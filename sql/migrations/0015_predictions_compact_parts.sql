ALTER TABLE predictions{on_cluster}
    MODIFY SETTING min_bytes_for_wide_part = 134217728
