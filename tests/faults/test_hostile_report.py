"""Names of classes and videos that are HTML, JavaScript, formulas, options: they stay names."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_project
from harmless_page import Page, require_harmless
from made_up_results import PICTURE

from pipeline import index, paths, shards, store

ROOT = Path(__file__).parent.parent.parent
RUN = "document.title='run'"
NAMES = [
    f"<script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"'><svg onload={RUN}>",
    f"</text></svg><script>{RUN}</script>",
    f"]]><script>{RUN}</script>",
    f"--><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"javascript:{RUN}",
    f"{{{{ ''.__class__ }}}}{{% raw %}}<b onmouseover={RUN}>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"$\\href{{javascript:{RUN}}}{{x}}$",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-rf",
    "@SUM(1)",
    'a\nb,c;"d"\te',
    "\u202etxt.exe",
    "\x1b[2J\x07",
    "x" * 250,
]


def _renamed(folder: Path, domain: str) -> None:
    """Gives the videos of a domain the names above."""
    videos = index.read_videos(folder / paths.videos(domain))
    labels = index.read_labels(folder / paths.labels(domain))
    names = dict(zip((video.key for video in videos), NAMES, strict=True))
    index.write_videos(
        folder / paths.videos(domain),
        [
            index.Video(names[v.key], names[v.key].strip("/"), None, None, v.split, "")
            for v in videos
        ],
    )
    index.write_labels(folder / paths.labels(domain), {names[k]: v for k, v in labels.items()})
    stored = store.load(folder / paths.features(domain))
    rows = {
        names[key]: store.VideoFeatures("", rgb, flow, rgb[..., :1].astype("i4"), 1, 1.0)
        for key, rgb, flow in zip(stored.keys, stored.rgb, stored.flow, strict=True)
    }
    store.write(folder / paths.features(domain), rows, stored.provenance)
    pictures = dict.fromkeys(names.values(), PICTURE)
    sizes, marks = dict.fromkeys(pictures, len(PICTURE)), dict.fromkeys(pictures, "")
    shards.publish(
        folder / paths.pictures(domain), pictures, fingerprints=marks, sizes=sizes, provenance={},
        suffix=shards.JPEG,
    )  # fmt: skip


def _stage(folder: Path, name: str) -> None:
    command = [sys.executable, "-m", f"pipeline.stages.{name}"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_project, "CLASSES", tuple(NAMES[:3]))
        small_project.write(folder)
    for domain in (small_project.SOURCE, small_project.TARGET):
        _renamed(folder, domain)
    for stage in ("pretrain", "adapt", "evaluate", "retrieval", "report"):
        _stage(folder, stage)
    return folder


def test_no_element_and_no_attribute_comes_out_of_a_name(project: Path) -> None:
    text = (project / "results/report.html").read_text()
    require_harmless(text)
    page = Page(text)
    assert "b" not in page.tags
    assert text.count("<img ") == text.count('<img class="strip" ') > 0
    assert NAMES[0] in page.text
    for figure in (project / "results/figures").glob("*.svg"):
        assert "<script" not in figure.read_text()


def test_every_table_gives_the_names_back(project: Path) -> None:
    with (project / "results/predictions.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert {row["key"] for row in rows} == set(NAMES)
    assert {row["adapted"] for row in rows} <= set(NAMES[:3])
    assert json.loads((project / "models/adapted/card.json").read_text())["classes"] == sorted(
        NAMES[:3]
    )


def test_a_browser_runs_nothing_of_it(project: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    page = project / "results/report.html"
    canary = project / "canary.html"
    canary.write_text(f"<title>quiet</title><p>{NAMES[0]}</p>")
    asked = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    titles = []
    drawn = (
        project / "results/figures" / f"{name}.svg" for name in ("classes", "confusion_adapted")
    )
    for path in (canary, page, *drawn):
        done = subprocess.run(
            [*asked, path.as_uri()], capture_output=True, text=True, timeout=120, check=True
        )
        titles.append("<title>run</title>" in done.stdout)
        assert len(done.stdout) > 50
    assert titles[0], "the canary itself must run"
    assert not any(titles[1:])
