"""One thin file a DVC stage: read, call, write. Nothing imports a stage."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from types import TracebackType

from pipeline.errors import UserError, of_the_machine

# One thread a process, set before PyTorch is loaded: several only wait for each other on a busy
# machine, and a sum in another order is another result.
os.environ.setdefault("OMP_NUM_THREADS", "1")

KEPT = "interrupted: finished videos are kept; the next run goes on from here"


def run(main: Callable[[], None], interrupted: str = KEPT) -> None:
    """Runs a stage; what the user can mend is told in plain lines, without a traceback.

    `interrupted` is what a user is told who presses Ctrl-C, unless `main` knows better and raises
    KeyboardInterrupt with other words. The process then ends by SIGINT, 130 to a shell, so that a
    loop around it ends too.
    """
    try:
        main()
    except UserError as fault:
        sys.exit(f"error: {fault}")
    except Exception as fault:
        told = of_the_machine(fault)
        if told is None:
            raise
        sys.exit(f"error: {told}")
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(str(stop) or interrupted) from None


def _end(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    """What Python does with an exception that nobody caught: of Ctrl-C, the words alone."""
    if not isinstance(fault, KeyboardInterrupt):
        sys.__excepthook__(kind, fault, trace)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the second of an impatient user
    print(str(fault) or "interrupted: nothing has begun", file=sys.stderr)


sys.excepthook = _end  # before what takes long to import


def domain_argument() -> str:
    """The one argument of a per-domain stage: the domain's name in params.yaml."""
    return _domain_parser().parse_args().domain


def domain_and_part() -> tuple[str, str | None]:
    """The domain's name, and which part of its videos is asked for, if not all."""
    parser = _domain_parser()
    parser.add_argument(
        "--part",
        metavar="NUMBER/COUNT",
        help="do this part of the videos into .staging and publish nothing; see docs/cluster.md",
    )
    given = parser.parse_args()
    return given.domain, given.part


def _domain_parser() -> argparse.ArgumentParser:
    """For a domain's name.

    DVC runs commands in a shell, and would put any name of params.yaml into one; so none stands in
    dvc.yaml's commands, and a stage that DVC runs is told by its own name, `index@street`.
    """
    parser = argparse.ArgumentParser()
    _, _, ours = os.environ.get("DVC_STAGE", "").partition("@")
    help_ = "a name under `domains` in params.yaml; DVC's stage names it too"
    parser.add_argument("domain", help=help_, nargs="?" if ours else None, default=ours)
    return parser
