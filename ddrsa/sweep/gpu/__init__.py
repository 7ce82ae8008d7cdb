"""GPU leases, and the packing of several runs on one GPU."""
