"""Results that a script has left: numbers in its files, and in what it printed."""
