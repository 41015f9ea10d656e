ALTER TABLE predictions{on_cluster}
    MODIFY SETTING default_compression_codec = 'LZ4'
