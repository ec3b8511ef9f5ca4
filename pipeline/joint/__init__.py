"""Methods that see the source's labelled videos beside the target's unlabelled ones.

Apart from `pipeline/methods`, whose methods never see the source. A new one: a file here, a line in
`JOINT_METHODS`, its name in `params.Joint.method`; its tests exist.
"""

from collections.abc import Callable

from pipeline.joint import contrastive_ablations, mm_sada
from pipeline.joint.adabn import AdaBn
from pipeline.joint.batches import JointBatch
from pipeline.joint.contrastive import CrossModalContrastive
from pipeline.joint.contrastive_ablations import (
    AdversarialAdversarial,
    ContrastiveAdversarial,
    ContrastiveLiteral,
    SameWindows,
)
from pipeline.joint.mcd import Mcd
from pipeline.joint.method import JointData, JointMethod, JointWeights
from pipeline.joint.mm_sada import MmSada
from pipeline.joint.mmd import Mmd
from pipeline.joint.pseudo_labelling import PseudoLabelling
from pipeline.joint.sava import Sava
from pipeline.joint.supervised import SourceOnlyBatchNorm, SourceOnlyLate, TargetSupervised
from pipeline.joint.ta3n import Ta3n
from pipeline.joint.tcon import Tcon

JOINT_METHODS: dict[str, Callable[[JointWeights], JointMethod]] = {
    "source_only_late": SourceOnlyLate,
    "target_supervised": TargetSupervised,
    "cross_modal_contrastive": CrossModalContrastive,
    "contrastive_modality_only": contrastive_ablations.modality_only,
    "contrastive_domain_only": contrastive_ablations.domain_only,
    "contrastive_without_head": contrastive_ablations.without_head,
    "contrastive_head_in_both": contrastive_ablations.head_in_both,
    "contrastive_same_windows": SameWindows,
    "contrastive_with_pseudo_labels": contrastive_ablations.with_pseudo_labels,
    "contrastive_as_published": contrastive_ablations.as_published,
    "contrastive_literal": ContrastiveLiteral,
    "contrastive_adversarial": ContrastiveAdversarial,
    "adversarial_adversarial": AdversarialAdversarial,
    "pseudo_labelling": PseudoLabelling,
    "mmd": Mmd,
    "adversarial": mm_sada.adversarial,
    "mm_sada": MmSada,
    "mm_sada_without_domain": mm_sada.mm_sada_without_domain,
    "mcd": Mcd,
    "ta3n": Ta3n,
    "sava": Sava,
    "tcon": Tcon,
    "source_only_batch_norm": SourceOnlyBatchNorm,
    "adabn": AdaBn,
}

__all__ = ["JOINT_METHODS", "JointBatch", "JointData", "JointMethod", "JointWeights"]
