"""The two-stream I3D with late fusion, whole: backbones that learn, and a classifier a stream.

Kim et al., "Learning Cross-modal Contrastive Features for Video Domain Adaptation", ICCV 2021,
section 4.1: logits of the two streams are averaged. Clips go through the backbones in `features`;
called with features, the network is the late fusion network of stored clip features without its
branches, so that every method of `pipeline/joint` that trains that one trains this one.

Letters: n videos, K clips a video, F frames, d features, c classes.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pipeline.finetune.domain_norm import Passing, with_domain_norms
from pipeline.joint.clip_encoder import dropped
from pipeline.joint.late_fusion import LateOutput, new_classifier
from pipeline.joint.method import Domain
from pipeline.joint.shape import JointNetwork
from pipeline.noise import Noise, initial_weights

DROPOUT = 0.5  # before the classifiers, as in I3D and MM-SADA


class TwoStream(JointNetwork):
    """Two backbones and two classifiers.

    Args:
        rgb: a backbone, clips (n, 3, F, h, w) -> features (n, dim).
        flow: the same of (n, 2, F, h, w).
        dim: d.
        classes: c.
        seed: of the classifiers' weights; the global random numbers are left alone.
        micro_batch: clips that a backbone takes at once, and normalises together; their
            activations are computed again backwards. None: all, and activations are kept.
        precision: of the backbones' activations.
    """

    def __init__(
        self,
        rgb: nn.Module,
        flow: nn.Module,
        *,
        dim: int,
        classes: int,
        seed: int,
        micro_batch: int | None = None,
        precision: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.dim, self.classes = dim, classes
        self.micro_batch, self.precision = micro_batch, precision
        self.passing = Passing()
        self.rgb = with_domain_norms(rgb, self.passing)
        self.flow = with_domain_norms(flow, self.passing)
        with initial_weights(seed):
            self.rgb_classifier = new_classifier(dim, classes)
            self.flow_classifier = new_classifier(dim, classes)

    def features(
        self, rgb: Tensor, flow: Tensor, domain: Domain, *, own: bool
    ) -> tuple[Tensor, Tensor]:
        """Clips (n, 3, F, h, w) and (n, 2, F, h, w) of one domain -> features (n, d) of either.

        `own`: normalised by their own statistics, which are noted; else by the domain's.
        """

        def one(backbone: nn.Module, clips: Tensor) -> Tensor:
            self.passing.domain, self.passing.own = domain, own
            with torch.autocast(clips.device.type, self.precision, self._mixed):
                return backbone(clips).float()

        def all_of(backbone: nn.Module, clips: Tensor) -> Tensor:
            few = clips.split(self.micro_batch or len(clips)) if len(clips) else [clips]
            if self.micro_batch is None or not torch.is_grad_enabled():
                return torch.cat([one(backbone, part) for part in few])
            again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
            return torch.cat([again(one, backbone, part) for part in few])

        return all_of(self.rgb, rgb), all_of(self.flow, flow)

    @property
    def _mixed(self) -> bool:
        return self.precision != torch.float32

    def forward(self, rgb: Tensor, flow: Tensor, noise: Noise | None = None) -> LateOutput:
        """Features of K clips, each (n, K, d), to what the network says of the n videos."""
        rgb, flow = rgb.mean(dim=1), flow.mean(dim=1)
        rgb_logits = self.rgb_classifier(dropped(rgb, DROPOUT, noise))
        flow_logits = self.flow_classifier(dropped(flow, DROPOUT, noise))
        return LateOutput(
            (rgb_logits + flow_logits) / 2, rgb, flow, rgb_logits, flow_logits, rgb, flow
        )
