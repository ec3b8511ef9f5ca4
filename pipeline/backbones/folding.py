"""Batch normalisation folded into the convolution in front of it, for inference."""

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Names of a convolution and of the normalisation behind it, in one module.
PAIRS = (
    ("conv3d", "bn"),  # Inception-v1 I3D
    ("conv", "norm"),  # pytorchvideo: the stem
    ("conv_a", "norm_a"),
    ("conv_b", "norm_b"),
    ("conv_c", "norm_c"),
    ("branch1_conv", "branch1_norm"),
)


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """A copy of `model` in evaluation mode, with equal outputs up to rounding and no batch norm.

    A convolution w * x followed by gamma (y - mean) / sqrt(var + eps) + beta is the convolution
    with weights gamma w / sqrt(var + eps) and bias beta - gamma mean / sqrt(var + eps).
    `model` stays as it is.

    Raises:
        ValueError: a batch normalisation stands where none of the known networks has one.
    """
    folded = copy.deepcopy(model).eval()
    for module in folded.modules():
        for conv, norm in PAIRS:
            if isinstance(getattr(module, norm, None), nn.BatchNorm3d):
                setattr(
                    module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm))
                )
                setattr(module, norm, nn.Identity().eval())
    left = [name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm3d)]
    if left:
        raise ValueError(f"cannot fold batch normalisation at {', '.join(left)}: see PAIRS")
    return folded
