"""OPC UA server of a running stream, after OPC 40100-1 (Machine Vision)."""
