"""The command ``maestrata``. Each sub-command is one module of `maestrata.commands`, found by its name."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from maestrata import __version__
from maestrata.errors import MaestrataError
from maestrata.modules import available, load
from maestrata.text import any_encoding

EXIT_ERROR = 2
_DESCRIPTION = """\
Which stratum of a latent hierarchy does a masked autoencoder recover?

    maestrata show                                          what the published run came to
    maestrata profile --leaves 64 --ratio .75 --patch 2x2   what the theory says of masks
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0, or 2 after one line on standard error."""
    any_encoding()
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    status: int | None = 0
    try:
        status = load("commands", args.command).run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever reads has closed the pipe (as `head` does): no more to say, here or at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (MaestrataError, OSError) as error:
        print(f"maestrata: error: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_ERROR
    return status or 0


class _Parser(argparse.ArgumentParser):
    """Parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is."""
        self.exit(EXIT_ERROR, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    style = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="maestrata", description=_DESCRIPTION, formatter_class=style)
    parser.add_argument("--version", action="version", version=f"maestrata {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name in available("commands"):
        command = load("commands", name)
        own = commands.add_parser(name, help=command.HELP, description=command.__doc__, formatter_class=style)
        command.arguments(own)
    return parser


if __name__ == "__main__":
    sys.exit(main())
