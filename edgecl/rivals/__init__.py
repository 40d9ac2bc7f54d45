"""The same network in the hands of others, as sides of a benchmark: torch, and OpenVINO's NNCF."""
