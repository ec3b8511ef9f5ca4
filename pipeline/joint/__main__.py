"""Lists the methods that see the source: `python -m pipeline.joint`."""

import inspect
from dataclasses import fields

from pipeline.joint import JOINT_METHODS, JointMethod, JointWeights


def described(method: JointMethod) -> str:
    """The first line of what its class says, and in what an ablation departs from it."""
    told = (inspect.getdoc(type(method)) or "").splitlines()[0]
    parts = [
        f"{field.name}={getattr(method, field.name)}"
        for field in fields(method)
        if field.name != "weights" and getattr(method, field.name) != field.default
    ]
    return f"{told} [{', '.join(parts)}]" if parts else told


def main() -> None:
    """Prints a line a method."""
    width = max(map(len, JOINT_METHODS))
    for name, make in JOINT_METHODS.items():
        print(f"{name:<{width}}  {described(make(JointWeights()))}")


if __name__ == "__main__":
    main()
