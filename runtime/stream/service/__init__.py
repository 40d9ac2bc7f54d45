"""A stream as a service: whether it works, for whoever restarts it."""
