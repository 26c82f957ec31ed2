"""Many scenarios, tables and figures; and the benchmarks."""
