"""From the camera to the judges: the thread that reads frames, and the queue that it fills."""
