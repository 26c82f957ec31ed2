"""The emulated network: real kernels of namespaces, real programs, one holder process that takes all of it away."""
