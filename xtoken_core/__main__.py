"""`python -m xtoken_core`: the same jobs from a shell."""

import sys

from xtoken_core.cli import main

sys.exit(main())
