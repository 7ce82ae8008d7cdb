"""The supervision of a sweep: loop, events, record."""
