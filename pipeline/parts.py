"""A part of a domain's videos, for jobs that share the work without talking to each other."""

import re
from dataclasses import dataclass

from pipeline.errors import UserError
from pipeline.fingerprint import share


@dataclass(frozen=True)
class Part:
    """Part `number` of `count`, counted from 0. A video's part follows from its key alone."""

    number: int
    count: int

    def holds(self, key: str) -> bool:
        """Whether the video with this key is in this part."""
        return int(share(key) * self.count) == self.number


def parsed(text: str) -> Part:
    """Reads "3/16". Raises UserError if that is no part."""
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if not found or int(found[1]) >= int(found[2]):
        raise UserError(
            f"--part {text}: expected NUMBER/COUNT, NUMBER from 0 to COUNT - 1, as 3/16; "
            "with a Slurm array from 0, $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
        )
    return Part(int(found[1]), int(found[2]))
