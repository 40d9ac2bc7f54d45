"""Choice of calibration images, and the ranges that they give."""
