"""C-MAPSS files, real (turbofan) and simulated."""
