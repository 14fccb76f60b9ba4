"""`penstock look`: what would be read, before anything is run; nothing is kept."""

import shutil

import pytest

from projects import Project


def files(project):
    """All that is not compiled, nor a lock, nor a folder."""
    found = (it for it in project.root.rglob("*") if it.is_file())
    return sorted(it for it in found if it.suffix != ".pyc" and it.name != ".lock")


@pytest.mark.pipeline
def test_a_source_is_looked_at_and_nothing_is_kept(tmp_path):
    fresh = Project.create(tmp_path / "project")
    fresh.run("penstock", "sample", "pathology")
    mine = fresh.root / "mine"
    shutil.copytree(fresh.root / "data" / "samples" / "pathology", mine / "all")
    (mine / "all" / "benign" / "note.txt").write_text("no image")
    before = files(fresh)
    said = fresh.run(
        "penstock", "look", "pathology", "-S", "source=mine", "-S", "data.ungrouped=alone"
    ).stdout
    assert "all/ is the only folder of the source" in said
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line.startswith(" ")}
    benign = [int(it) for it in rows["benign"][1:4]]
    assert sum(benign) == len(list((mine / "all" / "benign").glob("*.jpg")))
    assert rows["benign"][4].startswith("benign/origin-")
    assert "largest of 120 groups" in said
    assert "rejected: once: not an image file" in said
    assert "doubtful: warning: chosen_by.examples" in said
    assert files(fresh) == before
    assert not (fresh.root / "data" / "pathology" / "dataset").exists()


@pytest.mark.pipeline
def test_what_would_stop_the_pipeline_is_said(tmp_path):
    fresh = Project.create(tmp_path / "project")
    fresh.run("penstock", "sample", "ratings")
    said = fresh.run("penstock", "look", "ratings", "-S", "expectations.min_examples=50000").stdout
    assert "users: 360, such as" in said
    done = fresh.run("penstock", "look", "ratings", "--pin", check=False)
    assert "ratings: --pin: nothing to pin" in done.stderr
    assert "doubtful: critical: splits.examples" in said
    assert "Limit: expectations.min_examples: 50000; this data would pass with 4295" in said
    assert "`penstock run ratings` would stop at what is critical" in said
