"""Search for images that show, in part, the same piece of metal, and how often chance makes one.

Patches around striking points are matched by a forest, what several of them agree on is measured
on the pixels, and the same search among mirrored images shows what chance alone brings.
"""
