"""Industrial cameras: GigE Vision and USB3 Vision by Aravis, vendors' GenTL producers."""
