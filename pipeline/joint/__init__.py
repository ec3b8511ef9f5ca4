"""Methods that see the source's labelled videos beside the target's unlabelled ones.

Apart from `pipeline/methods`, whose methods never see the source. A new one: a file here, a line in
`JOINT_METHODS`, its name in `params.Joint.method`; its tests exist.
"""

from collections.abc import Callable

from pipeline.joint.batches import JointBatch
from pipeline.joint.method import JointData, JointMethod, JointWeights
from pipeline.joint.supervised import SourceOnlyLate, TargetSupervised

JOINT_METHODS: dict[str, Callable[[JointWeights], JointMethod]] = {
    "source_only_late": SourceOnlyLate,
    "target_supervised": TargetSupervised,
}

__all__ = ["JOINT_METHODS", "JointBatch", "JointData", "JointMethod", "JointWeights"]
