"""Reading of frames into the queue before the judges: the thread, and the queue that it fills."""
