"""python -m ddrsa.follow: started by `ddrsa.follow.companion`."""

import sys

from ddrsa.follow.process import main

if __name__ == "__main__":
    sys.exit(main())
