"""deploy/compose/setup.sh: makes keys and configuration once, and begins anew after an interruption."""

import os
import subprocess
from pathlib import Path

import pytest
from support.build import build_folder

ROOT = Path(__file__).resolve().parents[2]


def set_up(folder):
    environment = os.environ | {"MODELTRAIL_FOLDER": str(folder), "PATH": f"{build_folder()}:{os.environ['PATH']}"}
    return subprocess.run(["sh", ROOT / "deploy/compose/setup.sh"], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("left", [["store.key"], ["store.key", "store.public", "c1.key"], ["c2.public", "c1.yaml", "store.yaml.new"]],
                         ids="+".join)
def test_an_interrupted_setup_begins_anew(tmp_path, left):
    for name in left:
        (tmp_path / name).write_text("")
    done = set_up(tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("store", "c1", "c2"):
        assert len((tmp_path / f"{name}.public").read_text().strip()) == 64
        assert (tmp_path / f"{name}.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "c1.public").read_text().strip() in (tmp_path / "store.yaml").read_text()
    assert (tmp_path / "store.public").read_text().strip() in (tmp_path / "c2.yaml").read_text()
    assert not (tmp_path / "store.yaml.new").exists()


def test_a_finished_setup_is_left_alone(tmp_path):
    assert set_up(tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert set_up(tmp_path).returncode == 0
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
