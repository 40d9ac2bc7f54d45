"""Digital outputs: `--sink gpio:BACKEND:PLACE?…`."""
