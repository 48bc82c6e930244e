"""An experiment at every point of a declared grid: hundreds of thousands of cells in shards, on one machine or many."""
