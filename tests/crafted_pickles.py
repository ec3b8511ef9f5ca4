"""Pickles that call, and pickles without end."""

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

from hostile_means import CANARY, Crafted, Harm
from pandas_pickles import frame, pandas_pickle


def _segments(**changed: object) -> bytes:
    row = {
        "uid": 1,
        "participant_id": "P08",
        "video_id": "P08_01",
        "start_timestamp": "00:00:01.00",
        "stop_timestamp": "00:00:02.00",
        "verb_class": 0,
        **changed,
    }
    return pandas_pickle(frame({name: [value] for name, value in row.items()}), protocol=4)


def _pickles(folder: Path) -> Crafted:
    doubled = b")" + b"2\x86" * 60  # tuples of tuples: 2 ** 60 of them to whoever looks inside
    return {
        "call": pickle.dumps(Harm(os.mkdir, CANARY)),
        "shell": b"cos\nsystem\n(S'mkdir " + CANARY.encode() + b"'\ntR.",
        "endless key": b"\x80\x02}" + doubled + b"Ns.",
        "deep key": b"\x80\x02})" + b"\x85" * 200_000 + b"Ns.",
        "endless key of a new dictionary": b"\x80\x02(" + doubled + b"Nd.",
        "endless member of a set": b"\x80\x04\x8f(" + doubled + b"\x90.",
        "far memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
        "long text": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        "long bytes": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x0fabc.",
        "long number": b"\x80\x02L" + b"9" * 100_000 + b"L\n.",
        "endless shape": b"cpandas.core.frame\nDataFrame\n)R}(S'_data'\n" + doubled + b"sb.",
        "many hours": _segments(start_timestamp="9" * 5000 + ":00:00.00"),
        "no such digits": _segments(start_timestamp="٠٠:00:01.00"),
        "no verb": _segments(verb_class=2**80),
        "empty": b"",
    }


PICKLES: Mapping[str, Callable[[Path], Crafted]] = {"epic": _pickles}
