"""Read every run of a sweep and say which configuration is best: python analyze.py hydra.sweep.dir=DIR

With --json (or json=true) the answer is printed for machines, and nothing else.
"""

from ddrsa.commands.analyze import main

if __name__ == "__main__":
    main()
