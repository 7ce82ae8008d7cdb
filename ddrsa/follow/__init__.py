"""Following a sweep by its directory, from a process of its own beside whatever launches it."""
