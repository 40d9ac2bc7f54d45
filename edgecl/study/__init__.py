"""Grids of training runs and their joint results: tables, intervals, paired tests."""
