"""python -m ddrsa: the menu of sweeps."""

import sys

from ddrsa.menu.command import main

if __name__ == "__main__":
    sys.exit(main())
