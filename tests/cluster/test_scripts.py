"""The scripts that a new user meets first: scripts/quickstart and what makes the environment."""

import getpass
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.clusters.fresh_copy import FreshCopy
from tests.support.clusters.scripted import ROLES, ROOT, SECONDS_MAX, Site
from tests.support.clusters.waiting import PATIENCE_SECONDS


def test_quickstart_does_the_main_job(site: Site) -> None:
    done = site.quickstart("--stop-after")
    assert done.status == 0, done
    assert "byte for byte" in done.out
    assert "/quickstart/random.bin" in done.out and "Live datanodes (3)" in done.out
    # Whom it speaks to is proved, by a key that only its owner has.
    assert "mode = secret" in site.config.read_text("utf-8")
    assert (site.folder / "data" / "cluster.key").stat().st_mode & 0o777 == 0o600
    # Relative paths begin at a home directory that is there.
    assert f" /user/{getpass.getuser()}\n" in done.out
    assert site.cluster("status").status == 1
    assert site.pids() == []


def test_quickstart_starts_everything_more_than_once(site: Site) -> None:
    environment = {"PYHDFS_CONFIG": "ha.ini", "PYTHON": sys.executable}
    command = [str(ROOT / "scripts" / "quickstart"), "--ha", "--stop-after"]
    done = site.run(command, environment)
    assert done.status == 0, done
    assert "byte for byte" in done.out and "Live datanodes (3)" in done.out
    states = done.out.partition("haadmin -getAllServiceState\n")[2].split()[1:4:2]
    assert sorted(states) == ["active", "standby"]
    for role in ("zookeeper_2", "metadata_2", "name_node_1", "data_node_2", "gateway"):
        (ready,) = [line for line in done.out.splitlines() if line.startswith(f"{role} localhost:")
                    and " is ready, " in line]
        assert f"{' '.join(ready.split()[:2])} stopped\n" in done.out


@pytest.mark.parametrize("site", [{"roles": (*ROLES, "gateway")}], indirect=True)
def test_quickstart_can_be_repeated(site: Site) -> None:
    for argv in (("--stop-after",), ("--stop-after",), ()):
        done = site.quickstart(*argv)
        assert done.status == 0, done
    assert "cluster.py stop" in done.out
    assert site.cluster("status").status == 0
    # It also says where a browser finds all that, and how one enters there.
    page = f"http://{site.addresses['gateway']}/"
    assert f"The cluster in a browser: {page}\n" in done.out
    assert f"    {page}  " in done.out and "pyhdfs issueKey --web  " in done.out
    with urllib.request.urlopen(page, timeout=PATIENCE_SECONDS) as answer:
        assert b"<title>PyHDFS</title>" in answer.read()


def test_quickstart_uses_a_cluster_that_runs_already(site: Site) -> None:
    assert site.cluster("start").status == 0
    assert site.cluster("stop", "data_node_1").status == 0
    done = site.quickstart("--stop-after")
    assert done.status == 0, done
    assert "running already" in done.out and "data_node_1" in done.out
    assert site.cluster("status").status == 0


def test_quickstart_says_who_is_in_the_way(site: Site) -> None:
    host, _, port = site.addresses["data_node_0"].partition(":")
    with socket.create_server((host, int(port))):
        done = site.quickstart("--stop-after")
    assert done.status == 1
    assert "another process listens on" in done.err


def test_quickstart_leaves_a_chosen_mode_alone(site: Site) -> None:
    chosen = site.config.read_text("utf-8") + "\n[security]\nmode = simple\n"
    site.config.write_text(chosen, "utf-8")
    done = site.quickstart("--stop-after")
    assert done.status == 0 and site.config.read_text("utf-8") == chosen, done


def test_a_cluster_that_runs_keeps_its_mode(site: Site) -> None:
    assert site.cluster("start", "zookeeper").status == 0
    refused = site.cluster("secure")
    assert refused.status == 1 and "zookeeper runs" in refused.err, refused
    assert "secret" not in site.config.read_text("utf-8")


def test_no_key_is_made_where_another_machine_may_have_one(site: Site) -> None:
    here = site.config.read_text("utf-8")
    site.config.write_text(here.replace(site.addresses["metadata"], "192.0.2.1:18005"), "utf-8")
    assert site.cluster("secure").status == 0
    done = site.cluster("start", "zookeeper")
    assert done.status == 2 and "data/cluster.key: cannot read this key file" in done.err, done


def test_quickstart_refuses_what_it_does_not_know(site: Site) -> None:
    assert site.quickstart("--fast").status == 2


def test_an_old_python_is_refused_in_a_sentence(site: Site) -> None:
    old = site.folder / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.6.8" && exit\nexit 1\n')
    old.chmod(0o755)
    for script in ("test", "quickstart"):
        done = site.run([str(ROOT / "scripts" / script)], {"PYTHON": str(old)})
        assert done.status == 1
        assert "Python 3.6.8 is too old: Python 3.9 or newer is needed" in done.err
    missing = site.run([str(ROOT / "scripts" / "test")], {"PYTHON": "no-such-python"})
    assert missing.status == 1 and "No no-such-python found" in missing.err


def test_without_a_word_on_python_the_environment_stays(site: Site) -> None:
    # A copy of the scripts beside an environment whose Python is the oldest that is at hand.
    scripts = site.folder / "scripts"
    scripts.mkdir()
    (scripts / "python").write_bytes((ROOT / "scripts" / "python").read_bytes())
    (scripts / "python").chmod(0o755)
    (scripts / "environment.py").write_text(
        "import sys; print(sys.executable, file=sys.stderr); print(sys.executable)"
    )
    own = site.folder / ".venv" / "bin"
    own.mkdir(parents=True)
    (own / "python").symlink_to(os.path.realpath(sys.executable))
    kept = site.run([str(scripts / "python"), "", "-c", ""], {"PYTHON": ""})
    assert (kept.status, kept.err.strip()) == (0, os.path.realpath(sys.executable))
    named = site.run([str(scripts / "python"), "", "-c", ""], {"PYTHON": str(own / "python")})
    assert (named.status, named.err.strip()) == (0, str(own / "python"))


@pytest.mark.parametrize("system", ['ID="amzn"\nVERSION_ID="2"', 'ID=ubuntu\nVERSION_ID="20.04"'])
def test_a_system_that_is_too_old_is_refused_before_anything_is_installed(
    site: Site, system: str
) -> None:
    about = site.folder / "os-release"
    about.write_text(system + "\n")
    old = site.folder / "python-old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    environment = {"PYTHON": str(old), "OS_RELEASE": str(about)}
    done = site.run([str(ROOT / "scripts" / "setup_ec2.sh")], environment)
    assert done.status == 1 and done.out == ""
    assert "is older than 3.9" in done.err and "PYTHON=" in done.err


def test_a_service_of_a_role_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    copy = FreshCopy(tmp_path)
    try:
        words = [str(tmp_path / "scripts" / "setup_ec2.sh"), "--systemd", "data_node_99"]
        done = subprocess.run(
            words,
            env={**copy.environment(), "PYTHON": sys.executable},
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS_MAX,
        )
    finally:
        copy.close()
    assert done.returncode == 2
    assert "found no data_node_99, expected one of: zookeeper, metadata, name_node" in done.stderr
    key = tmp_path / "data" / "cluster.key"
    assert key.stat().st_mode & 0o777 == 0o600 and 32 <= key.stat().st_size <= 4096


def test_setup_is_told_what_to_set_up() -> None:
    script = str(ROOT / "scripts" / "setup_ec2.sh")
    for words in (["--fast"], ["--systemd"], ["--systemd", "a", "b"]):
        done = subprocess.run([script, *words], capture_output=True, timeout=SECONDS_MAX)
        assert done.returncode == 2 and b"usage: setup_ec2.sh" in done.stderr
