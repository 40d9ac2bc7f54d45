"""Which images calibrate, and the ranges that they give."""
