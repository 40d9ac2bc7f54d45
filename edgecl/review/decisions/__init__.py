"""Decisions of reviewers: the journal that keeps them, what stands of them, and their labels."""
