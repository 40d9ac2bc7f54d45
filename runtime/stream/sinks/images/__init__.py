"""Images that a stream keeps: of rejects, of doubtful frames, and a sample of those that pass."""
