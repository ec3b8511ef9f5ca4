"""How fast are features, beside the loop that public extractors run, and how far apart are they?

    python -m benchmarks.i3d [--backbone i3d] [--frames 16] [--size 224] [--clips 5] [--rounds 3]
    python -m benchmarks.i3d --device cuda [--batch 64]

"plain" is that loop: batch norm not folded, zeros padded by a copy, channels first in memory,
float32, one clip at a time, no gradients. "ours" is `pipeline.extraction` as the stage calls it.
Both start from the 8-bit codes of one video's clips, RGB and flow, and have the same random
weights. A clip's operations are those of the plain network, padding included, so that a share of
the matrix product's rate above 100 % means that fewer operations were needed.

CPU: seconds are medians over interleaved rounds, by the clock and of processor time; memory is the
peak of a process of its own. GPU: the time includes the copies from and to the host's memory.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from llvmlite import binding
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pipeline import backbones
from pipeline.backbones.folding import fold_batchnorm
from pipeline.backbones.i3d import I3D, LAYERS, MaxPool3dSame, Mixed, Unit3D, same_padding
from pipeline.extraction import Extractor

Form = Literal["plain", "ours"]
FORMS: tuple[Form, ...] = ("plain", "ours")
Codes = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Features = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Setting:
    """A backbone and the clips that it gets."""

    backbone: backbones.Name
    frames: int
    size: int

    def networks(self) -> list[I3D]:
        """Both streams', with weights at which maps neither vanish nor explode."""
        torch.manual_seed(0)
        made = [I3D(c, width=backbones.WIDTH[self.backbone]) for c in (3, 2)]
        for network in made:
            for module in network.modules():
                if isinstance(module, nn.Conv3d):
                    nn.init.kaiming_normal_(module.weight)
        return [network.eval().requires_grad_(False) for network in made]

    def codes(self, count: int) -> Codes:
        """Clips of coarse patches, RGB and flow."""
        side = -(-self.size // 16)
        coarse = np.random.default_rng(0).integers(
            0, 256, (count, self.frames, side, side, 5), np.uint8
        )
        fine = coarse.repeat(16, axis=2).repeat(16, axis=3)[:, :, : self.size, : self.size]
        return np.ascontiguousarray(fine[..., :3]), np.ascontiguousarray(fine[..., 3:])

    def operations(self) -> int:
        """Multiplications and additions of a clip, RGB and flow."""
        with FlopCounterMode(display=False) as counter:
            plain_loop(self.networks(), self.codes(1), torch.device("cpu"))
        return counter.get_total_flops()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", choices=list(backbones.WIDTH), default="i3d")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--clips", type=int, default=5, help="of a video; CPU")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int, default=64, help="clips; GPU")
    return parser.parse_args()


# -- the plain loop


def padded(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    axes = zip(x.shape[2:], kernel, stride, strict=True)
    pads = [same_padding(*axis) for axis in axes]
    return F.pad(x, [zeros for pair in reversed(pads) for zeros in pair])


def layer(module: nn.Module, x: Tensor) -> Tensor:
    if isinstance(module, Unit3D):
        x = padded(x, module.conv3d.kernel_size, module.conv3d.stride)
        return F.relu(module.bn(F.conv3d(x, module.conv3d.weight, stride=module.conv3d.stride)))
    if isinstance(module, MaxPool3dSame):
        return F.max_pool3d(padded(x, module.kernel, module.stride), module.kernel, module.stride)
    assert isinstance(module, Mixed)
    paths = ((module.b0,), (module.b1a, module.b1b), (module.b2a, module.b2b))
    return torch.cat([chain(path, x) for path in (*paths, (module.b3a, module.b3b))], dim=1)


def chain(modules: tuple[nn.Module, ...], x: Tensor) -> Tensor:
    for module in modules:
        x = layer(module, x)
    return x


@torch.inference_mode()
def plain_loop(networks: list[I3D], codes: Codes, device: torch.device) -> Features:
    features = []
    for network, stream in zip(networks, codes, strict=True):
        made = []
        for clip in stream:
            x = torch.from_numpy(clip).to(device).float() / 255 * 2 - 1
            x = x.permute(3, 0, 1, 2).contiguous()[None]
            x = chain(tuple(network.get_submodule(name) for name in LAYERS), x)
            made.append(x.mean(dim=(2, 3, 4)).cpu())
        features.append(torch.cat(made).numpy())
    return features[0], features[1]


# -- ours


def extractor(networks: list[I3D], device: str, precision: torch.dtype) -> Extractor:
    """As `extraction.extractor` makes it of files of weights."""
    folded = [
        fold_batchnorm(network).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        for network in networks
    ]
    rgb, flow = (
        backbones.for_cpu(network)
        if device == "cpu"
        else backbones.for_gpu(network).to(device, precision)
        for network in folded
    )
    return Extractor(rgb, flow, torch.device(device), precision)


def work(setting: Setting, form: Form, codes: Codes) -> Callable[[], Features]:
    if form == "plain":
        return partial(plain_loop, setting.networks(), codes, torch.device("cpu"))
    return partial(extractor(setting.networks(), "cpu", torch.float32), *codes)


# -- measuring


def matrix_rate(device: str, precision: torch.dtype, side: int) -> float:
    """Operations a second of a product of square matrices: the best of ten."""
    a = torch.rand(side, side, device=device, dtype=precision)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        a @ a
        settle(device)
        times.append(time.perf_counter() - start)
    return float(2 * side**3 / min(times))


def settle(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def peak(setting: Setting, form: Form, clips: int) -> float:
    """Peak memory in MB of this process after one video; to be run in a process of its own."""
    torch.set_num_threads(1)
    work(setting, form, setting.codes(clips))()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def relative_error(found: Features, expected: Features) -> float:
    pairs = zip(found, expected, strict=True)
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)


def least_cosine(found: Features, expected: Features) -> float:
    def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)

    return min(float(cosines(*pair).min()) for pair in zip(found, expected, strict=True))


def show_cpu(setting: Setting, clips: int, rounds: int) -> None:
    spawned = multiprocessing.get_context("spawn")
    for form in FORMS:
        with ProcessPoolExecutor(1, mp_context=spawned) as pool:
            megabytes = pool.submit(peak, setting, form, clips).result()
        print(f"  peak memory, 1 thread: {form:5} {megabytes:6.0f} MB", flush=True)
    codes, operations = setting.codes(clips), setting.operations()
    for threads in sorted({1, multiprocessing.cpu_count()}):
        torch.set_num_threads(threads)
        # made anew: the layout of packed weights follows from the number of threads
        runs = {form: work(setting, form, codes) for form in FORMS}
        error = relative_error(runs["ours"](), runs["plain"]())
        print(f"  relative error of ours to plain: {error:.1e}")
        show_times(runs, rounds, clips, operations, threads)


def show_times(
    runs: dict[Form, Callable[[], Features]],
    rounds: int,
    clips: int,
    operations: int,
    threads: int,
) -> None:
    rates, clock, processor = [], {f: [] for f in FORMS}, {f: [] for f in FORMS}  # type: ignore[var-annotated]
    for _ in range(rounds):
        rates.append(matrix_rate("cpu", torch.float32, 1024))
        for form, run in runs.items():
            start = time.perf_counter(), time.process_time()
            run()
            clock[form].append((time.perf_counter() - start[0]) / clips)
            processor[form].append((time.process_time() - start[1]) / clips)
    rate = statistics.median(rates)
    print(f"  {threads} thread(s): matrix product {rate / 1e9:.0f} GFLOP/s")
    for form in FORMS:
        seconds = statistics.median(clock[form])
        print(
            f"    {form:5} {1000 * seconds:7.1f} ms a clip (RGB and flow), "
            f"{1000 * statistics.median(processor[form]):7.1f} ms of processor time, "
            f"{operations / seconds / rate:4.0%} of the matrix product's rate"
        )
    for name, taken in (("by the clock", clock), ("of processor time", processor)):
        ratios = [a / b for a, b in zip(taken["plain"], taken["ours"], strict=True)]
        middle = statistics.median(ratios)
        print(f"    plain / ours {name}: {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def clips_a_second(ours: Extractor, codes: Codes, rounds: int) -> float:
    """In batches of which one is always on its way, as the stage sends them."""
    ours(*codes)  # not counted: the libraries choose their kernels
    start = time.perf_counter()
    pending = ours.start(*codes)
    for _ in range(rounds):
        following = ours.start(*codes)
        pending.arrays()
        pending = following
    pending.arrays()
    return (rounds + 1) * len(codes[0]) / (time.perf_counter() - start)


def show_gpu(setting: Setting, batch: int, rounds: int, device: str = "cuda") -> None:
    networks, codes, operations = setting.networks(), setting.codes(batch), setting.operations()
    reference: Features | None = None
    for precision in (torch.float32, torch.bfloat16):
        ours = extractor(networks, device, precision)
        rate = clips_a_second(ours, codes, rounds)
        product = matrix_rate(device, precision, 8192 if device == "cuda" else 256)
        features = ours(*codes)
        reference = reference or features
        print(
            f"  {precision}: {rate:.1f} clips/s (RGB and flow), {operations * rate / product:.0%} "
            f"of the matrix product's {product / 1e12:.1f} TFLOP/s, "
            f"least cosine to float32 {least_cosine(features, reference):.6f}",
            flush=True,
        )
    networks = [network.to(device) for network in networks]
    few = codes[0][:4], codes[1][:4]
    plain_loop(networks, few, torch.device(device))
    start = time.perf_counter()
    found = plain_loop(networks, few, torch.device(device))
    print(f"  plain, float32: {len(few[0]) / (time.perf_counter() - start):.1f} clips/s")
    assert reference is not None
    error = relative_error(found, (reference[0][:4], reference[1][:4]))
    print(f"  relative error of plain to ours in float32: {error:.1e}")


def main() -> None:
    options = arguments()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: PyTorch sees no GPU here")
    setting = Setting(options.backbone, options.frames, options.size)
    torch.backends.cudnn.allow_tf32 = False  # as in the stage
    torch.backends.cudnn.deterministic = True
    gpu = f"{torch.cuda.get_device_name()}; " if options.device == "cuda" else ""
    print(
        f"{gpu}{binding.get_host_cpu_name()}, {multiprocessing.cpu_count()} cores, "
        f"{torch.backends.cpu.get_cpu_capability()}; PyTorch {torch.__version__}\n"
        f"{setting.backbone}, clips of {setting.frames} x {setting.size} x {setting.size}",
        flush=True,
    )
    if options.device == "cuda":
        show_gpu(setting, options.batch, options.rounds)
    else:
        show_cpu(setting, options.clips, options.rounds)


if __name__ == "__main__":
    main()
