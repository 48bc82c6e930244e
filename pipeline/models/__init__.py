"""Models: small networks trained by our own kernels, and the molecule models built on libraries."""
