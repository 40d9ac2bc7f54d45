"""Queries of each scenario put to a side, turn by turn, and what is seen meanwhile."""
