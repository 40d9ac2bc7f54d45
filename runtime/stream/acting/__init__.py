"""Sinks that act on the machine, and the accounts of their acts."""
