"""``python -m maestrata``: the command, where ``.venv/bin`` is not on the path."""

import sys

from maestrata.cli import main

sys.exit(main())
