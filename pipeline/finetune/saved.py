"""A run on disk after each epoch, so that a killed one goes on and ends as it would have ended."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.finetune.run import Run
from pipeline.staging import Staging

Tree = dict[str, Any]


def save(run: Run, staging: Staging, fingerprint: str) -> None:
    """Writes the run as it is, whole or not at all; what it replaces is an epoch older."""
    notes = json.dumps({"epoch": run.epoch, "rows": run.rows})  # columns in their order
    tensors = {name: value.detach().cpu().contiguous() for name, value in _leaves(_tree(run))}
    # one tensor may stand in two places; a file holds none twice
    apart = {name: value.clone() for name, value in tensors.items()}
    staging.write(fingerprint, safetensors.torch.save(apart, {"notes": notes}))


def resume(run: Run, staging: Staging, fingerprint: str) -> None:
    """Puts the run where it was when it was last saved, if ever.

    Raises UserError: damaged since, or of another network.
    """
    if not staging.holds(fingerprint):
        return
    content = staging.read(fingerprint)
    tree = _grown(safetensors.torch.load(content))
    notes = json.loads(_metadata(content)["notes"])
    try:
        run.network.load_state_dict(tree["network"])
        run.modules.load_state_dict(tree.get("extras", {}))
        momenta = tree.get("momentum", {})
        for number, weight in enumerate(_trained(run)):
            run.optimiser.state[weight]["momentum_buffer"] = torch.empty_like(weight).copy_(
                momenta[str(number)]
            )
        run.generator.set_state(tree["generator"])
    except (LookupError, RuntimeError) as fault:
        raise UserError(
            f"{staging.path(fingerprint)}: not a run of this network ({fault}); delete it"
        ) from None
    run.state = _moved(tree.get("state", {}), run.device)
    run.epoch, run.rows = notes["epoch"], notes["rows"]


def _tree(run: Run) -> Tree:
    momenta = {
        str(number): run.optimiser.state[weight]["momentum_buffer"]
        for number, weight in enumerate(_trained(run))
    }
    return {
        "network": run.network.state_dict(),
        "extras": run.modules.state_dict(),
        "momentum": momenta,
        "state": run.state,
        "generator": run.generator.get_state(),
    }


def _trained(run: Run) -> list[Tensor]:
    return [weight for group in run.optimiser.param_groups for weight in group["params"]]


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Tensors of nested mappings by their path; names may have dots, so slashes part them."""
    for name, part in tree.items():
        if isinstance(part, Mapping):
            yield from _leaves(part, f"{prefix}{name}/")
        else:
            yield prefix + name, part


def _grown(leaves: Mapping[str, Tensor]) -> Tree:
    """The inverse of `_leaves`."""
    tree: Tree = {}
    for path, value in leaves.items():
        *above, name = path.split("/")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[name] = value
    return tree


def _moved(tree: Tree, device: torch.device) -> Tree:
    return {
        name: _moved(part, device) if isinstance(part, dict) else part.to(device)
        for name, part in tree.items()
    }


def _metadata(content: bytes) -> dict[str, str]:
    """The texts beside the tensors; a safetensors file begins with its JSON header's length."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]
