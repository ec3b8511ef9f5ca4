"""Lists the methods of adaptation: `python -m pipeline.methods`."""

import inspect

from pipeline.methods import METHODS


def main() -> None:
    """Prints a line a method: its name, and the first line of the file that holds it."""
    width = max(map(len, METHODS))
    for name, make in METHODS.items():
        told = make.__doc__ if inspect.isfunction(make) else inspect.getmodule(make).__doc__
        print(f"{name:<{width}}  {(told or '').strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
