"""A stand-in W&B server over real HTTP on loopback, for the unmodified client.

    with WandbServer() as server:
        server.add_runs("team", "proj", 20)
        subprocess.run([...], env={**os.environ, **server.env(home=tmp_path)})

Not modelled: history by key (`sampledHistory`) or by page, files, artifacts, sweeps as objects,
mutations, quotas, a service that is slow by itself. See faults.py for what can be made to go wrong.
"""

from tests.support.wandb.data import Project, Run, User, iso
from tests.support.wandb.faults import Fault
from tests.support.wandb.paging import Script
from tests.support.wandb.server import Request, WandbServer

__all__ = ["Fault", "Project", "Request", "Run", "Script", "User", "WandbServer", "iso"]
