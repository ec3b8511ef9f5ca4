"""Files of parameters that unfold without end, call, or ask for too much."""

from collections.abc import Callable, Mapping
from pathlib import Path

from hostile_means import Crafted


def _params(folder: Path) -> Crafted:
    whole = (Path(__file__).parent.parent / "params.yaml").read_bytes()

    def changed(old: bytes, new: bytes) -> bytes:
        assert old in whole
        return whole.replace(old, new, 1)

    def laughing(first: bytes, more: bytes) -> bytes:
        """Nine times what stands in the line before, and so on."""
        lines = [first]
        for n in range(1, 10):
            lines.append(b"a%d: &a%d " % (n, n) + more % b", ".join([b"*a%d" % (n - 1)] * 9))
        return b"\n".join(lines) + b"\n"

    laughs = laughing(b"a0: &a0 [x, x]", b"[%s]")
    merged = laughing(b"a0: &a0 {x: 1}", b"{<<: [%s]}")
    return {
        "laughs": whole + laughs,
        "merged laughs": whole + merged,
        "few laughs": whole + b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "in itself": whole + b"a: &a [*a]\n",
        "key twice": changed(b"decode:\n", b"decode:\n  size: 32\n"),
        "section twice": whole + b"seeds: [1]\n",
        "call": whole + b"a: !!python/object/apply:os.mkdir [executed]\n",
        "shell": changed(
            b"source: studio", b"source: !!python/object/apply:os.system ['mkdir executed']"
        ),
        "long number": changed(b"size: 64", b"size: " + b"9" * 5000),
        "long hexadecimal number": changed(b"size: 64", b"size: 0x" + b"f" * 5000),
        "no date": changed(b"size: 64", b"size: 2001-99-99"),
        "no digits": changed(b"size: 64", b"size: 0b_"),
        "no number": changed(b"size: 64", b"size: !!int x"),
        "no time": changed(b"size: 64", b"size: !!timestamp x"),
        "infinite": changed(b"bound: 20", b"bound: 1e999"),
        "deep": whole + b"a: " + b"[" * 5000,
        "deep keys": whole + b"a: " + b"{a: " * 5000,
        "many clips": changed(b"segments: 5", b"segments: 1000000000"),
        "many frames": changed(b"frames: 16", b"frames: 60000"),
        "many layers": changed(b"layers: 2", b"layers: 1000000000"),
        "many videos": changed(b"train_per_class: 24", b"train_per_class: 1000000000"),
        "many processes": changed(b"workers: null", b"workers: 1000000000"),
        "command in a name": changed(b"source: studio", b"source: 'studio; mkdir executed'"),
        "path in a name": whole.replace(b"studio", b"../../outside"),
        "latin-1": whole + b"# \xe9\n",
        "utf-16": whole.decode().encode("utf-16"),
        "zero": whole + b"\0",
        "two documents": whole + b"---\n" + whole,
        "empty": b"",
    }


PARAMS: Mapping[str, Callable[[Path], Crafted]] = {"params": _params}
