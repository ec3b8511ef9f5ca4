"""One thin file a DVC stage: read, call, write. Nothing imports a stage."""

import argparse
import os
import sys
from collections.abc import Callable

from pipeline.errors import UserError, of_the_machine

# One thread a process, set before PyTorch is loaded: several only wait for each other on a busy
# machine, and a sum in another order is another result.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def run(main: Callable[[], None]) -> None:
    """Runs a stage; what the user can mend is told in plain lines, without a traceback."""
    try:
        main()
    except UserError as fault:
        sys.exit(f"error: {fault}")
    except Exception as fault:
        told = of_the_machine(fault)
        if told is None:
            raise
        sys.exit(f"error: {told}")
    except KeyboardInterrupt:
        sys.exit("interrupted: finished videos are kept; the next run goes on from here")


def domain_argument() -> str:
    """The one argument of a per-domain stage: the domain's name in params.yaml."""
    parser = argparse.ArgumentParser()
    parser.add_argument("domain", help="a name under `domains` in params.yaml")
    return parser.parse_args().domain
