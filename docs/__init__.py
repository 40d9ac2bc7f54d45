"""The documentation, and the scripts that check it, generate it and make its images."""
