"""The methods of adaptation. A new one: a file here, a line in `METHODS`, its tests exist."""

from collections.abc import Callable

from pipeline.methods.atcon import Atcon
from pipeline.methods.cleanadapt import CleanAdapt
from pipeline.methods.cleanadapt_teacher import CleanAdaptTeacher
from pipeline.methods.hcl import Hcl
from pipeline.methods.m_mmd import MMmd
from pipeline.methods.method import Memory, Method, Weights
from pipeline.methods.mt_absolute import MtAbsolute
from pipeline.methods.mt_mix import MtMix
from pipeline.methods.mtran import Mtran, mtran_without_mra, mtran_without_tra
from pipeline.methods.pairs import Batch
from pipeline.methods.sfda import Sfda
from pipeline.methods.shot import Shot, shot_im
from pipeline.methods.shot_official import ShotOfficial
from pipeline.methods.source_only import SourceOnly
from pipeline.methods.sthc import Sthc
from pipeline.methods.three_c_gan import ThreeCGan

METHODS: dict[str, Callable[[Weights], Method]] = {
    "source_only": SourceOnly,
    "shot_im": shot_im,
    "shot": Shot,
    "shot_official": ShotOfficial,
    "three_c_gan": ThreeCGan,
    "sfda": Sfda,
    "hcl": Hcl,
    "mtran": Mtran,
    "mtran_without_mra": mtran_without_mra,
    "mtran_without_tra": mtran_without_tra,
    "m_mmd": MMmd,
    "mt_absolute": MtAbsolute,
    "mt_mix": MtMix,
    "cleanadapt": CleanAdapt,
    "cleanadapt_teacher": CleanAdaptTeacher,
    "sthc": Sthc,
    "atcon": Atcon,
}

__all__ = ["METHODS", "Batch", "Memory", "Method", "Weights"]
