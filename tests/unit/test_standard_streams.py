"""No file of ours is ever standard input, output or error."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Tuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import os, sys
from zookeeper.fabric.standard_streams import occupy
occupy()
number = os.open("file", os.O_CREAT | os.O_WRONLY)
os.write(2, b"the last words")
sys.exit(0 if number > 2 else 1)
"""


@pytest.mark.parametrize("closed", [(), (0,), (1, 2), (2,), (0, 1, 2)])
def test_a_number_that_was_closed_is_not_given_to_a_file(
    tmp_path: Path, closed: Tuple[int, ...]
) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, preexec_fn=close, stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=str(ROOT)), timeout=60,
    )
    assert done.returncode == 0
    assert (tmp_path / "file").read_bytes() == b""
    assert done.stderr == (b"" if 2 in closed else b"the last words")
