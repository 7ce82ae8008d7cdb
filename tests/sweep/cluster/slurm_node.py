"""Slurm on this machine alone, for as long as a test takes: munged, slurmctld and slurmd, started by hand as root."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2
JobRequeue=1
KillWait=5
MinJobAge=120
ReturnToService=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=NO State=UP
"""


class SlurmNode:
    """A cluster of one node with two cores, with its files in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = {"SLURM_CONF": str(directory / "slurm.conf")}
        self._processes: list[subprocess.Popen[bytes]] = []

    @staticmethod
    def missing() -> str | None:
        """Why it cannot be started here."""
        programs = [name for name in ("munged", "slurmctld", "slurmd", "sbatch", "squeue") if not _find(name)]
        if programs:
            return f"not installed: {', '.join(programs)} (Debian: slurm-wlm and munge)"
        return None if os.getuid() == 0 else "the daemons are started as root"

    def start(self) -> None:
        for name in ("state", "spool"):
            (self.directory / name).mkdir()
        key = self.directory / "munge.key"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o400)
        ports = {"controller_port": _free_port(), "node_port": _free_port()}
        config = CONFIG.format(host=socket.gethostname(), directory=self.directory, **ports)
        (self.directory / "slurm.conf").write_text(config)
        paths = {
            name: self.directory / f"munge.{name.partition('-')[0]}"
            for name in ("socket", "key-file", "pid-file", "seed-file", "log-file")
        }
        self._start("munged", "--foreground", "--force", *(f"--{name}={path}" for name, path in paths.items()))
        self._until(lambda: paths["socket"].exists(), "munged has no socket")
        self._start("slurmctld", "-D", "-c")
        self._start("slurmd", "-D")
        idle = ("sinfo", "--noheader", "--states=idle", "--format=%T")
        self._until(lambda: self.command(*idle).strip(), "the node is not idle")

    def stop(self) -> None:
        self.command("scancel", "--user=root")
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def command(self, *arguments: str) -> str:
        return subprocess.run(
            arguments, env={**os.environ, **self.environ}, capture_output=True, text=True, check=False
        ).stdout

    def jobs(self) -> list[str]:
        """The ids of the jobs that run."""
        return self.command("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i").split()

    def _start(self, name: str, *arguments: str) -> None:
        with (self.directory / f"{name}.output").open("wb") as output:
            process = subprocess.Popen(
                [str(_find(name)), *arguments], env={**os.environ, **self.environ}, stdout=output, stderr=output
            )
        self._processes.append(process)

    def _until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 120
        while not holds():
            logs = "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in self.directory.glob("*.log"))
            assert time.monotonic() < deadline, f"{what}:\n{logs}"
            time.sleep(0.2)


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
