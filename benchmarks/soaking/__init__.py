"""What ``soak.py`` is made of: a server, swarms of clients, scenarios, a report."""
