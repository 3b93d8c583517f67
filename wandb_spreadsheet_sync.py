"""Entry of the sync: python wandb_spreadsheet_sync.py --user_name NAME --schedule_time 45"""

import sys

from runsheet.cli import script

if __name__ == "__main__":
    script(sys.argv[1:])
