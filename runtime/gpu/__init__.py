"""The GPU: device memory and streams (`memory`), and what this machine has of one (`probe`)."""
