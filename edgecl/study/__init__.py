"""Grids of training runs, and what they say together: tables, intervals, paired tests."""
