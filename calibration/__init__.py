"""Which pictures calibrate, and the ranges that they give."""
