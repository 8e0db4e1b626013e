"""Language models that run on this machine, in a process of their own: fetched once, checked, started by `zhiku up`."""
