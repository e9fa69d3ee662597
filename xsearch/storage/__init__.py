"""What is on disk: SQLite store, manifest, liveness, locks, the file layer, check and repair."""
