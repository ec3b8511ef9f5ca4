"""The methods of adaptation. A new one: a file here, a line in `METHODS`, its tests exist."""

from collections.abc import Callable

from pipeline.methods.atcon import Atcon
from pipeline.methods.method import Memory, Method, Weights
from pipeline.methods.mtran import Mtran, mtran_without_mra, mtran_without_tra
from pipeline.methods.pairs import Batch
from pipeline.methods.shot import Shot, shot_im
from pipeline.methods.source_only import SourceOnly
from pipeline.methods.sthc import Sthc
from pipeline.methods.three_c_gan import ThreeCGan

METHODS: dict[str, Callable[[Weights], Method]] = {
    "source_only": SourceOnly,
    "shot_im": shot_im,
    "shot": Shot,
    "mtran": Mtran,
    "mtran_without_mra": mtran_without_mra,
    "mtran_without_tra": mtran_without_tra,
    "three_c_gan": ThreeCGan,
    "sthc": Sthc,
    "atcon": Atcon,
}

__all__ = ["METHODS", "Batch", "Memory", "Method", "Weights"]
