"""Export of what reviewers agree on, as a data folder for training."""
