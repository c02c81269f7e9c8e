"""A script that was never meant to be imported: it ends its process."""

import sys

sys.exit("usage: leaves.py FILE")
