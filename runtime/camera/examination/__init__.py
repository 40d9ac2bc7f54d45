"""A camera looked at for a while: rate, jitter, losses, light, focus, and its network."""
