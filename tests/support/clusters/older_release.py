"""An older state of this repository, taken out of its history to run beside this one."""

import shutil
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[3]


def older_release(commit: str, folder: Path) -> Optional[Path]:
    """`folder`, with all files as they were at `commit`; None where the history is not there.

    A shallow clone has none, and neither has a copy without `.git`, or a machine without git.
    """
    git = shutil.which("git")
    if git is None:
        return None
    words = [git, "archive", "--format=zip", commit]
    archived = subprocess.run(words, cwd=ROOT, capture_output=True)
    if archived.returncode:
        return None
    with zipfile.ZipFile(BytesIO(archived.stdout)) as files:
        files.extractall(folder)
    return folder
