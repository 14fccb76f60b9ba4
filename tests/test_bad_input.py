"""Sources that are not what they should be: one line says which file, what, and what to do."""

import gzip
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.datasets.source import check_files
from penstock.kinds.images.idx import read_idx, write_idx
from penstock.messages.errors import PenstockError

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def remove(source):
    (source / IMAGES).unlink()


def truncate(source):
    content = (source / IMAGES).read_bytes()
    (source / IMAGES).write_bytes(content[: len(content) // 2])


def other_magic(source):
    (source / IMAGES).write_bytes(gzip.compress(bytes([0, 0, 13, 3]) + bytes(100)))


def fewer_labels(source):
    write_idx(source / LABELS, read_idx(source / LABELS, 1)[:-1])


def label_ten(source):
    labels = read_idx(source / LABELS, 1).copy()
    labels[7] = 10
    write_idx(source / LABELS, labels)


def no_images(source):
    write_idx(source / IMAGES, read_idx(source / IMAGES, 3)[:0])
    write_idx(source / LABELS, read_idx(source / LABELS, 1)[:0])


def vast_header(source):
    header = bytes([0, 0, 8, 3]) + struct.pack(">3I", 10**6, 10**3, 10**3)
    (source / IMAGES).write_bytes(gzip.compress(header + bytes(1000)))


def web_page(source):
    (source / IMAGES).write_text("<!DOCTYPE html><html><title>404</title></html>")


def folder_for_file(source):
    (source / IMAGES).unlink()
    (source / IMAGES).mkdir()


def link_out(source):
    (source / IMAGES).rename(source.parent / "elsewhere.gz")
    (source / IMAGES).symlink_to(source.parent / "elsewhere.gz")


def broken_link(source):
    (source / IMAGES).unlink()
    (source / IMAGES).symlink_to("nowhere.gz")


def pipe(source):
    (source / IMAGES).unlink()
    os.mkfifo(source / IMAGES)


def no_source(source):
    shutil.rmtree(source)


# What is broken, and what has to be said: found; expected; remedy.
CASES = [
    (remove, r"train-images-idx3-ubyte\[.gz\]: not found; expected the four IDX files.*add the"),
    (truncate, f"{IMAGES}: damaged gzip file.*expected a whole one; fetch it again"),
    (other_magic, f"{IMAGES}: starts with 00 00 0d 03; expected the magic number 00 00 08 03"),
    (fewer_labels, r"1437 labels for the 1438 images.*expected as many; are both"),
    (label_ten, "label 10 at position 7; expected 0 to 9; name every class"),
    (no_images, f"{IMAGES}: no images; expected at least one; fetch it again"),
    (vast_header, f"{IMAGES}: the header promises 1000000 x 1000 x 1000 values.*fetch"),
    (web_page, f"{IMAGES}: starts with 3c 21 44 4f; expected the magic number"),
    (folder_for_file, f"{IMAGES}: .*[Dd]irectory.*expected a readable IDX file"),
    (link_out, f"{IMAGES}: a link out of the source, to .*elsewhere.gz; expected.*copy the file"),
    (broken_link, f"{IMAGES}: a broken link, to nowhere.gz; expected.*restore"),
    (pipe, f"{IMAGES}: neither a file nor a folder; expected.*remove it"),
    (no_source, "mine: not found; set pipelines.mnist.source"),
]


@pytest.fixture(scope="module")
def victim(tmp_path_factory, finished_project):
    """A finished project whose source is a folder of the user's own, broken anew by each test."""
    return finished_project.copy(tmp_path_factory.mktemp("bad") / "project")


@pytest.fixture
def source(victim):
    folder = victim.root / "data" / "mine"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(victim.root / "data" / "samples" / "mnist", folder)
    victim.set(source="data/mine")
    return folder


def outputs(project):
    """What the stages made; what they depend on is as the last command found it."""
    folder = project.root / "data" / "mnist"
    return {
        file.relative_to(folder): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name not in (".lock", "inputs.json")
    }


def errors(done):
    return [line for line in done.stderr.splitlines() if line.startswith("penstock: error: ")]


@pytest.mark.pipeline
@pytest.mark.parametrize(("damage", "message"), CASES, ids=lambda it: getattr(it, "__name__", ""))
def test_the_plain_command_and_penstock_run_say_it_alike(victim, source, damage, message):
    before = outputs(victim)
    damage(source)
    plain = victim.run("penstock", "ingest", "mnist", check=False)
    assert plain.returncode == 1
    assert "Traceback" not in plain.stderr
    (line,) = errors(plain)
    assert re.search(message, line), line
    assert str(source.relative_to(victim.root)) in line
    run = victim.run("penstock", "run", "mnist", check=False)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert errors(run)[0] == line
    assert outputs(victim) == before, "former outputs are back in place"


FLOW = """
import os, sys
sys.path.insert(0, "flows")
from prefect.testing.utilities import prefect_test_harness
from pipeline import pipeline
with prefect_test_harness():
    for case in sys.argv[1:]:
        os.replace(case, "data/mine") if os.path.exists(case) else None
        state = pipeline("mnist", return_state=True)
        print("STATE", state.name, state.message, flush=True)
        os.replace("data/mine", case) if os.path.exists("data/mine") else None
"""


@pytest.mark.pipeline
def test_the_flow_says_it_too(victim, source):
    chosen = [case for case in CASES if case[0] in (truncate, label_ten, link_out, no_source)]
    before = outputs(victim)
    for damage, _ in chosen:
        folder = victim.root / "data" / damage.__name__
        shutil.copytree(source, folder)
        damage(folder)
    shutil.rmtree(source)
    done = subprocess.run(
        [sys.executable, "-c", FLOW, *(f"data/{damage.__name__}" for damage, _ in chosen)],
        cwd=victim.root,
        env={
            **victim.environment(),
            **victim.warm,
            "PREFECT_HOME": str(victim.root.parent / "prefect"),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    states = [line for line in done.stdout.splitlines() if line.startswith("STATE")]
    for (_, message), state in zip(chosen, states, strict=True):
        assert state.startswith("STATE Failed")
        assert re.search(message, state), state
    assert "Traceback" not in done.stderr
    assert outputs(victim) == before


@pytest.mark.pipeline
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_no_permission(victim, source, kind):
    target = source / IMAGES if kind == "file" else source
    target.chmod(0)
    # As root nothing is unreadable, unless it gives up what makes it so.
    setpriv = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root, and no setpriv to give up its rights")
    prefix = setpriv if os.geteuid() == 0 else []
    try:
        lines = []
        for command in ("ingest", "run"):
            done = subprocess.run(
                [*prefix, sys.executable, "-m", "penstock", command, "mnist"],
                cwd=victim.root,
                env=victim.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1
            lines += errors(done)[:1]
    finally:
        target.chmod(0o755)
    assert lines[0] == lines[1]
    assert re.search(f"{target}: no permission to read it; expected a readable {kind}", lines[0])


SMALL_DISK = """
set -e
mkdir -p data/mnist && mount -t tmpfs -o size=600k tmpfs data/mnist
cp -r "$1"/. data/mnist/
shift
"$@"
"""


@pytest.mark.pipeline
def test_disk_full(fresh):
    """On a disk of 600 KB in a mount namespace of its own, which any user may have."""
    fresh.run("penstock", "sample", "mnist")
    (fresh.root / "former").mkdir()
    (fresh.root / "former" / "dataset").write_text("what was there before")
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    if subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("no mount namespace may be made here")
    check = "status=$?; cat data/mnist/dataset; ls -A data/mnist/.partial; exit $status"
    command = f"{sys.executable} -m penstock ingest mnist || {{ {check}; }}"
    done = subprocess.run(
        [*unshare, "sh", "-c", SMALL_DISK, "sh", "former", "sh", "-c", command],
        cwd=fresh.root,
        env=fresh.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert re.search(r"dataset: no space left on the disk \(\d MB free\); expected room", line)
    assert "penstock clean" in line
    assert done.stdout == "what was there before", "and nothing half-written"


def test_links_within_the_source_and_into_dvcs_cache_are_followed(tmp_path):
    source, cache = tmp_path / "source", tmp_path / "cache" / "files" / "md5" / "ab"
    for folder in (source / "below", cache):
        folder.mkdir(parents=True)
    (source / "below" / "a").write_text("a")
    (source / "b").symlink_to("below/a")
    (cache / ("0" * 30)).write_text("c")
    (source / "c").symlink_to(cache / ("0" * 30))
    check_files(source)
    (tmp_path / "link").symlink_to(source)
    check_files(tmp_path / "link")
    (source / "below" / "loop").symlink_to("..")
    check_files(source)
    (source / "d").symlink_to(Path("..") / "cache")
    with pytest.raises(PenstockError, match="a link out of the source"):
        check_files(source)
    check_files(source, links_out=True)
    (source / "e").symlink_to("nowhere")
    with pytest.raises(PenstockError, match="a broken link, to nowhere"):
        check_files(source, links_out=True)
