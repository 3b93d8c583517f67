"""Where runs come from. The interface is in base.py; each other module is one source."""
