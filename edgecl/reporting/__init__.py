"""Pages from the JSON of other parts; nothing is measured here.

A page is one HTML file that needs nothing else: no script, no font, no address to fetch.
"""
