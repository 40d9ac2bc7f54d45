"""Sinks on other machines: a spool on disk keeps each verdict until the receiver has it."""
