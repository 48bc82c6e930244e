"""Small ReLU networks and linear heads, trained by hand-written kernels, one thread each."""
