"""The modes of security in which a cluster can be measured: their section of config.ini."""

import subprocess
import sys
from pathlib import Path
from typing import List

SIMPLE, SECRET, TLS = MODES = ("simple", "secret", "TLS")

_ROOT = Path(__file__).resolve().parents[2]
_ROLES = ("zookeeper", "metadata", "name_node", "data_node")


def secured(folder: Path, mode: str, host: str) -> List[str]:
    """The section for a cluster on this host in this mode.

    Its key will be in `folder`, and certificates are. RuntimeError when they cannot be made.
    """
    if mode == SIMPLE:
        return []
    section = ["[security]", "mode = secret", f"key_file = {folder}/cluster.key"]
    if mode == TLS:
        own = folder / "certificates" / "daemon"
        _certify(own, host)
        section += ["tls = yes", f"ca_file = {own.parent}/ca.pem"]
        section += [f"certificate_file = {own}.pem", f"certificate_key_file = {own}.key"]
    return section


def _certify(path: Path, host: str) -> None:
    """One certificate for all daemons, which are of one machine."""
    command = [str(_ROOT / "scripts" / "make_certificates"), str(path), *_ROLES, host]
    # What it says is for who waits, and not a part of the results.
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
        raise RuntimeError("scripts/make_certificates failed: is openssl installed?")
