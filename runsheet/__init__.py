"""runsheet keeps a team's spreadsheet true to its Weights & Biases runs."""

__version__ = "0.1.0"
