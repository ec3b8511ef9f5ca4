"""The card of jointly trained networks on disk."""

from dataclasses import dataclass

from pipeline.checkpoints import ModelCard
from pipeline.errors import UserError
from pipeline.joint import JOINT_METHODS, JointWeights
from pipeline.joint.shape import JointNetwork, Shape


@dataclass(frozen=True, kw_only=True)
class JointCard(ModelCard):
    """What such a network is: `method` says which, `clips` how many it sees of a video."""

    method: str
    clips: int

    def __post_init__(self) -> None:
        if self.method not in JOINT_METHODS:
            raise UserError(
                f"card of a jointly trained model: method {self.method!r} is none of this version, "
                f"which has {', '.join(JOINT_METHODS)}; train the model again"
            )

    def new_network(self, seed: int) -> JointNetwork:
        """An untrained network of this shape."""
        shape = Shape(self.dim, len(self.classes), self.clips, self.layers, self.dropout)
        return JOINT_METHODS[self.method](JointWeights()).network(shape, seed)
