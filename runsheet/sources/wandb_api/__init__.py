"""The source `wandb`: runs of W&B projects, from the service or a server of one's own.

session   the wandb module: when it is imported, and with which settings
client    login, requests, bounded retries
errors    the client's failures in our words
query     the query, and what comes back, as runs
entity    the projects of an entity
listing   a listing made complete and free of doubles (P1)
walk      the pages of one walk through a project
finding   single runs
rows      the query for what a run logged, and what comes back
recorded  what a run logged
source    the interface
"""

from runsheet.sources.wandb_api.source import WandbSource

__all__ = ["WandbSource"]
