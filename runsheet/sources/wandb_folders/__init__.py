"""The source `folders`: W&B run folders on disk, without an account (air-gapped and offline runs).

folder_tree   finds run folders below a directory
wandb_log     the framing of a `.wandb` file: raw records, and how the file ends
log_records   records become facts
log_rows      records become rows
run_files     config.yaml, wandb-summary.json and wandb-metadata.json become facts
run_facts     what is known of a run, and how the facts of several places become one Run
source        the interface
"""

from runsheet.sources.wandb_folders.source import FolderSource, newest, read

__all__ = ["FolderSource", "newest", "read"]
