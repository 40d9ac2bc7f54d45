"""Pages in a browser beside a stream, from a process of their own that the judging one feeds."""
