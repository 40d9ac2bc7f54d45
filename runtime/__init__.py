"""Runtime on the line: contracts, preprocessing, engines, cameras, budgets and latency.

Nothing below this package imports torch, so a box beside the line needs numpy, OpenCV and one
inference engine only.
"""

import logging

logging.getLogger("edgecl").addHandler(logging.NullHandler())  # a program decides what it shows
