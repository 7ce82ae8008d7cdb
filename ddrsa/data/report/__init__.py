"""Reports on data sets, in numbers and plots."""
