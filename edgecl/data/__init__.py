"""Images on disk, or drawn, to arrays: readers, overlap groups, splits."""
