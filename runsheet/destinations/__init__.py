"""Where rows go. The interface is in base.py; each other module is one destination."""
