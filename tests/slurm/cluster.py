"""A real Slurm on this machine alone: one node, fake GPUs, accounting if asked for. `up` starts it, `down` ends what `up` started.

Needs root and Debian's packages (PACKAGES). Slurm finds its configuration in /etc/slurm only, since a nested srun looks nowhere
else; one that is not ours is never touched.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import click

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurmdbd", "mariadb-server", "munge")
GPUS = 2
# Slurm looks here, and so does every command of it, whatever checkout started the cluster.
CONFIGURATION = Path("/etc/slurm")
STATE = Path("/var/lib/ethos-slurm")
MARK = "# Ethos's test cluster; `make slurm-down` ends it and removes this file."
_PROGRAMS = ("munged", "mariadb-install-db", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacctmgr")
FILES = ("slurm.conf", "gres.conf", "slurmdbd.conf")

# A requeued job waits until its old credential has expired, two minutes unless told otherwise.
_SLURM = """{mark}
ClusterName=ethos
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge.socket,cred_expire=10
StateSaveLocation={state}/slurmctld
SlurmdSpoolDir={state}/slurmd
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_min_interval=100000
MpiDefault=none
ReturnToService=2
KillWait=2
MinJobAge=3600
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
{accounting}
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:fake:{gpus} Features=pretended State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=1440 State=UP
PartitionName=cpu Nodes={host} MaxTime=1440 State=UP
"""
_ACCOUNTING = """AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={slurmdbd_port}
AccountingStoragePass={state}/munge.socket
AccountingStorageTRES=gres/gpu"""
_SLURMDBD = """{mark}
AuthType=auth/munge
AuthInfo=socket={state}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={slurmdbd_port}
SlurmUser=root
PidFile={state}/slurmdbd.pid
LogFile={state}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadbd_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""


class ClusterError(Exception):
    """The cluster cannot be started or ended; the message says why, and what to do."""


def obstacle() -> str:
    """Why no cluster can be started here; empty where one can."""
    if os.geteuid() != 0:
        return "starting a Slurm needs root"
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        return f"Slurm is not installed ({', '.join(missing)} missing); on Debian: apt-get install {' '.join(PACKAGES)}"
    foreign = [path for name in FILES if (path := CONFIGURATION / name).is_file() and MARK not in path.read_text()]
    return f"{foreign[0]} belongs to another Slurm, which is left alone" if foreign else ""


def up(*, accounting: bool = True) -> None:
    """Start the cluster; ends the one that an earlier `up` left. Raises ClusterError where that is not possible."""
    if reason := obstacle():
        raise ClusterError(reason)
    down()
    for name in ("slurmctld", "slurmd", "mariadb"):
        (STATE / name).mkdir(parents=True)
    try:
        _configure(accounting)
        _start(accounting)
    except BaseException:
        down(keep_logs=True)
        raise


def down(*, keep_logs: bool = False) -> None:
    """End the daemons that `up` started, with their jobs, and remove its configuration and state."""
    daemons = started()
    if any(name == "slurmctld" for name, _, _ in daemons):
        subprocess.run(["scancel", "--user=root", "--full"], capture_output=True, timeout=30)
        _wait(lambda: not _output("squeue", "--noheader", "--states=RUNNING,COMPLETING"), "the jobs ended", quiet=True)
    for _, pid, began in reversed(daemons):
        _stop(pid, began)
    for name in FILES:
        path = CONFIGURATION / name
        if path.is_file() and MARK in path.read_text():
            path.unlink()
    if not keep_logs:
        shutil.rmtree(STATE, ignore_errors=True)


def _configure(accounting: bool) -> None:
    facts = {
        "mark": MARK,
        "host": socket.gethostname().split(".")[0],
        "state": STATE,
        "cpus": os.cpu_count(),
        "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20 * 3 // 4,
        "gpus": GPUS,
        **_free_ports("slurmctld", "slurmd", "slurmdbd", "mariadbd"),
    }
    stores = _ACCOUNTING.format(**facts) if accounting else "AccountingStorageType=accounting_storage/none"
    CONFIGURATION.mkdir(exist_ok=True)
    (CONFIGURATION / "slurm.conf").write_text(_SLURM.format(**facts, accounting=stores))
    # A plain count would drain the node: Slurm wants a device behind each GPU.
    devices = [f"NodeName={facts['host']} Name=gpu Type=fake File=/dev/tty{number}" for number in range(GPUS)]
    (CONFIGURATION / "gres.conf").write_text("\n".join([MARK, *devices, ""]))
    if accounting:
        path = CONFIGURATION / "slurmdbd.conf"
        path.touch(mode=0o600)  # slurmdbd refuses one that others can read
        path.write_text(_SLURMDBD.format(**facts))
        (STATE / "mariadbd.port").write_text(str(facts["mariadbd_port"]))


def _start(accounting: bool) -> None:
    (STATE / "munge.key").touch(mode=0o600)
    (STATE / "munge.key").write_bytes(os.urandom(128))
    _launch(
        "munged",
        "--foreground",
        "--num-threads=10",  # what Slurm asks for
        "--force",  # as root, which it warns of
        f"--socket={STATE}/munge.socket",
        f"--key-file={STATE}/munge.key",
        f"--pid-file={STATE}/munged.pid",
        f"--seed-file={STATE}/munged.seed",
    )
    _wait((STATE / "munge.socket").is_socket, "munged answers")
    if accounting:
        _start_accounting()
    _launch("slurmctld", "-D")
    _wait(lambda: "UP" in _output("scontrol", "ping"), "slurmctld answers")
    _launch("slurmd", "-D")
    _wait(lambda: "idle" in _output("sinfo", "--noheader", "--format=%T"), "the node is idle")


def _start_accounting() -> None:
    data, database = f"--datadir={STATE}/mariadb", f"--socket={STATE}/mariadb.socket"
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--user=root", "--auth-root-authentication-method=normal", data],
        check=True,
        capture_output=True,
    )
    port = (STATE / "mariadbd.port").read_text()
    _launch("mariadbd", "--no-defaults", "--user=root", "--bind-address=127.0.0.1", f"--port={port}", data, database)
    client = ["mariadb", "--no-defaults", "--user=root", database, "--execute"]
    _wait(lambda: subprocess.run([*client, "SELECT 1"], capture_output=True).returncode == 0, "mariadbd answers")
    statements = (
        "CREATE DATABASE slurm_acct_db; CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'slurm';"
        " CREATE USER slurm@localhost IDENTIFIED BY 'slurm'; GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1';"
        " GRANT ALL ON slurm_acct_db.* TO slurm@localhost;"
    )
    subprocess.run([*client, statements], check=True, capture_output=True)
    _launch("slurmdbd", "-D")
    _wait(lambda: _succeeds("sacctmgr", "-i", "add", "cluster", "ethos"), "slurmdbd answers", seconds=60)
    subprocess.run(["sacctmgr", "-i", "add", "account", "tests"], check=True, capture_output=True)
    subprocess.run(["sacctmgr", "-i", "add", "user", "root", "account=tests"], check=True, capture_output=True)


def _launch(name: str, *arguments: str) -> None:
    """Start a daemon, and note which process it is: its id, and when that process began, since ids come again."""
    with open(STATE / f"{name}.out", "ab") as log:
        process = subprocess.Popen(
            [shutil.which(name), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    with open(STATE / "started", "a") as file:
        file.write(json.dumps([name, process.pid, birth(process.pid)]) + "\n")


def started() -> list[tuple[str, int, str]]:
    """The daemons that `up` started: name, process and when that began."""
    try:
        return [tuple(json.loads(line)) for line in (STATE / "started").read_text().splitlines()]
    except FileNotFoundError:
        return []


def birth(pid: int) -> str:
    """When a process began, in ticks since the machine did; empty for one that has ended."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if state == "Z" else rest[18]


def _stop(pid: int, began: str) -> None:
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if birth(pid) != began:
            return
        os.kill(pid, sent)
        _wait(lambda: birth(pid) != began, "it ends", quiet=True)


def _free_ports(*names: str) -> dict[str, int]:
    sockets = [socket.socket() for _ in names]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = {f"{name}_port": each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}
    for each in sockets:
        each.close()
    return ports


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=30).returncode == 0


def _wait(condition: Callable[[], bool], what: str, *, seconds: float = 30, quiet: bool = False) -> None:
    """Wait until a condition holds. Raises ClusterError when it does not in time, unless that is fine."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            if quiet:
                return
            raise ClusterError(f"waited {seconds:.0f} s in vain until {what}; see the logs in {STATE}")
        time.sleep(0.2)


@click.group()
def commands() -> None:
    """A Slurm of one node on this machine, with fake GPUs."""


@commands.command("up")
@click.option("--without-accounting", is_flag=True, help="No slurmdbd and no database.")
def up_command(without_accounting: bool) -> None:
    """Start the cluster."""
    try:
        up(accounting=not without_accounting)
    except ClusterError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"A Slurm of one node with {GPUS} fake GPUs is up; `make slurm-down` ends it.")


@commands.command("down")
def down_command() -> None:
    """End what `up` started."""
    if os.geteuid() != 0:
        raise click.ClickException("ending a Slurm needs root")
    down()


@commands.command("check")
def check_command() -> None:
    """Fail where the tests of this folder would be skipped, and say why."""
    if reason := obstacle():
        raise click.ClickException(reason)


if __name__ == "__main__":
    commands()
