"""The head that the commands' help has in common."""

import argparse


def parser(name: str, words: str | None) -> argparse.ArgumentParser:
    """A parser for `python -m pipeline.NAME`; words are the docstring of its file, shown as is."""
    return argparse.ArgumentParser(
        prog=f"python -m pipeline.{name}",
        description=words,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
