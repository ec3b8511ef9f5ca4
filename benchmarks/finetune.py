"""What training the two-stream I3D on frames costs: counted, and measured.

    python -m benchmarks.finetune count      FLOPs and bytes of a step, without a GPU
    python -m benchmarks.finetune load       clips a second out of the cache, by processes
    python -m benchmarks.finetune step       seconds and peak memory of a step on this machine

All with `--backbone i3d` (clips of 16 x 224 x 224) or `i3d_nano` (16 x 64 x 64), `--batch` videos
of both domains together, `--micro` clips at once, `--precision`. `load` renders its videos: blocks
that drift, with grain.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pipeline import backbones, lossless, shards
from pipeline.finetune.card import FinetunedCard
from pipeline.finetune.frames import Cache, Request, loaded
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Run, Settings, Step, Videos
from pipeline.joint import JOINT_METHODS, JointBatch, JointData, JointWeights
from pipeline.video import Frames

SIDE = {"i3d": 224, "i3d_nano": 64}
FRAMES, CLASSES = 16, 12


def network(backbone: str, micro: int | None, precision: str, device: str) -> TwoStream:
    """The network with random weights."""
    card = FinetunedCard(
        classes=tuple(map(str, range(CLASSES))),
        dim=backbones.dim("i3d" if backbone == "i3d" else "i3d_nano"),
        features={},
        backbone=backbone,
        method="",
        statistics="target",
    )
    with torch.device(device):
        made = card.new_network(0)
    made.micro_batch, made.precision = micro, getattr(torch, precision)
    return made.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def clips(count: int, side: int, device: str) -> tuple[Tensor, Tensor]:
    """RGB and flow of so many clips."""
    return tuple(  # type: ignore[return-value]
        torch.rand(count, channels, FRAMES, side, side, device=device).to(
            memory_format=torch.channels_last_3d
        )
        for channels in (3, 2)
    )


def kept_bytes(forward: Callable[[], Tensor], apart: set[int]) -> int:
    """Bytes that a forward pass keeps for the backward one, weights left out."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in apart:
            sizes[storage._cdata] = storage.nbytes()
        kept.append(tensor)  # or its storage could be given to another
        return tensor

    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = forward()
    del out
    return sum(sizes.values())


def count(options: argparse.Namespace) -> None:
    """On the meta device: shapes without numbers."""
    side, half = SIDE[options.backbone], options.batch // 2
    micro = options.micro or half
    made = network(options.backbone, None, "float32", "meta")
    weights = sum(parameter.numel() for parameter in made.parameters())
    made.to(getattr(torch, options.precision))
    apart = {p.untyped_storage()._cdata for p in made.parameters()}
    few = [part.to(getattr(torch, options.precision)) for part in clips(micro, side, "meta")]
    activations = [
        kept_bytes(lambda s=s, c=c: getattr(made, s)(c), apart)  # type: ignore[misc]
        for s, c in zip(("rgb", "flow"), few, strict=True)
    ]
    forward = flops(lambda: [made.rgb(few[0]), made.flow(few[1])])
    loss = made.rgb(few[0]).sum() + made.flow(few[1]).sum()
    both = forward + flops(loss.backward)
    step = both / micro * options.batch
    again = forward / micro * options.batch if options.micro else 0
    peak = max(activations) if options.micro else 2 * sum(activations)
    optimiser = 3 * 4 * weights
    print(f"{options.backbone}, {options.batch} videos a step, {options.precision}, micro {micro}")
    print(
        f"weights {weights / 1e6:.1f} million; with gradient and momentum {optimiser / 1e9:.2f} GB"
    )
    print(
        f"a clip, both streams: forward {forward / micro / 1e9:.1f} GFLOP, "
        f"with backward {both / micro / 1e9:.1f} GFLOP"
    )
    print(f"a step: {(step + again) / 1e12:.2f} TFLOP")
    print(f"activations kept at once {peak / 1e9:.2f} GB")


def flops(work: Callable[[], object]) -> int:
    """Floating point operations, two a product and its sum."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def film(side: int, frames: int, seed: int, channels: int) -> Frames:
    """Blocks that drift, with grain."""
    drawn = np.random.default_rng(seed)
    big = drawn.integers(40, 216, (side // 8 + 9, side // 8 + 9, channels)).astype(np.float32)
    big = np.kron(big, np.ones((8, 8, 1), np.float32))
    shots = [big[t % 64 : t % 64 + side, t % 64 : t % 64 + side] for t in range(frames)]
    grain = drawn.normal(0, 4, (frames, side, side, channels))
    return np.clip(np.stack(shots) + grain, 0, 255).astype(np.uint8)


def cached(folder: Path, side: int, videos: int, frames: int) -> Videos:
    """A cache of so many videos."""
    keys = [f"{number:03d}.mp4" for number in range(videos)]
    numbers = list(range(frames))
    for name in ("frames", "flow"):
        contents = {}
        for number, key in enumerate(keys):
            if name == "frames":
                shown, note = film(side, frames, number, 3), {"numbers": numbers}
            else:
                fields = film(side, frames - 1, number, 2)
                shown = fields.transpose(0, 3, 1, 2).reshape(frames - 1, 2 * side, side)
                note = {"pairs": numbers[:-1]}
            contents[key] = lossless.encode(np.ascontiguousarray(shown), fps=25, note=note)
        shards.publish(
            folder / name,
            contents,
            fingerprints=dict.fromkeys(keys, ""),
            sizes={key: len(content) for key, content in contents.items()},
            provenance={"decode": {"size": side}},
        )
        size = sum(map(len, contents.values())) / videos / frames
        print(f"{name}: {size / 1e3:.1f} kB each")
    return Videos(Cache(folder / "frames", folder / "flow", FRAMES), keys)


def load(options: argparse.Namespace) -> None:
    """Random windows of RGB and of flow, as training draws them."""
    with tempfile.TemporaryDirectory() as folder:
        videos = cached(Path(folder), SIDE[options.backbone], 16, options.frames)
        drawn = np.random.default_rng(0)
        for workers in options.workers:
            requests = [
                Request(videos.keys[k % 16], (drawn.random(),), (drawn.random(),))
                for k in range(options.clips)
            ]
            batches = [(videos.cache, requests[k : k + 16]) for k in range(0, len(requests), 16)]
            wall, work = time.perf_counter(), time.process_time()
            read = loaded(batches, workers=workers, device=torch.device("cpu"))
            for _ in read:
                pass
            wall = time.perf_counter() - wall
            alone = f", {(time.process_time() - work) / len(requests) * 1e3:.0f} ms of this core"
            print(
                f"{workers} processes: {len(requests) / wall:.1f} videos a second (RGB and flow)"
                f"{alone if not workers else ''}"
            )


def step(options: argparse.Namespace) -> None:
    """Whole steps of the contrastive method, clips already there."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    side, half = SIDE[options.backbone], options.batch // 2
    made = network(options.backbone, options.micro, options.precision, device)
    if options.compile:
        made.rgb.compile()
        made.flow.compile()
    keys = [str(number) for number in range(half)]
    nowhere = Videos(Cache(Path(), Path(), FRAMES), keys)
    method = JOINT_METHODS["cross_modal_contrastive"](JointWeights())
    run = Run(
        made,
        method.extras(made, 0),
        Settings(epochs=1),
        0,
        {"source": nowhere, "target": nowhere},
        "independent",
    )
    labels = torch.arange(half, device=device) % CLASSES
    seen = torch.zeros(half, 1, made.dim, device=device) + 1
    words = made(seen, seen)
    run.state = method.begin(words, words)
    positions = torch.arange(half)
    batch = JointBatch(positions.to(device), positions.to(device))
    given = {"source": clips(half, side, device), "target": clips(half, side, device)}

    def once() -> float:
        start = time.perf_counter()
        run.step(
            Step(batch, {"source": positions, "target": positions}),
            given,  # type: ignore[arg-type]
            lambda model, drawn, known: method.losses(
                model, JointData(known["source"], labels, known["target"]), drawn
            ),
            method.after_step,
            0.5,
        )
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    once()
    seconds = [once() for _ in range(options.rounds)]
    memory = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else float("nan")
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(
        f"{name}, {options.backbone}, batch {options.batch}, micro {options.micro}, "
        f"{options.precision}, compile {options.compile}: {median(seconds):.3f} s a step "
        f"({min(seconds):.3f} to {max(seconds):.3f}), peak {memory:.1f} GB"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetune", description=__doc__)
    parser.add_argument("what", choices=["count", "load", "step"])
    parser.add_argument("--backbone", choices=SIDE, default="i3d")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--micro", type=int)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=150, help="of a video")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args(arguments)
    {"count": count, "load": load, "step": step}[options.what](options)


if __name__ == "__main__":
    main()
