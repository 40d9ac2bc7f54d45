"""The handshake with a PLC over Modbus TCP: `--sink modbus:HOST:PORT`."""
