"""What is fast, measured against floors of the same run (docs: benchmarks/README.md)."""
