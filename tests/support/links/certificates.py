"""Certificates for tests, made by the documented command."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Optional

import pytest

from zookeeper.fabric.settings import SecuritySettings

OWN_HOSTS = ("127.0.0.1", "localhost")

_COMMAND = Path(__file__).resolve().parents[3] / "scripts" / "make_certificates"


def make(folder: Path, name: str, *names: str, days: Optional[int] = None) -> None:
    """A certificate in `folder` for these roles and hosts, by the authority there; renewed when it
    is there already. Skips the test where nothing can make one."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made by openssl, which is not installed here")
    environment = dict(os.environ) if days is None else dict(os.environ, DAYS=str(days))
    command = [str(_COMMAND), str(folder / name), *names]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def settings(folder: Path, name: str) -> SecuritySettings:
    """Those of a process that has this certificate; the key of the cluster is not looked at."""
    return SecuritySettings(
        mode="secret",
        tls=True,
        ca_file=str(folder / "ca.pem"),
        certificate_file=str(folder / f"{name}.pem"),
        certificate_key_file=str(folder / f"{name}.key"),
    )
