"""Tables, plots and the answer of a sweep, from its run directories alone."""
