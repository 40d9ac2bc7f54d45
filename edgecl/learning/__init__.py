"""Contrastive pretraining, fine-tuning, evaluation, and the state that survives a kill."""
