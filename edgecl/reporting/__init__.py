"""Pages made of what other parts measured: they read JSON and measure nothing.

A page is one HTML file that needs nothing else: no script, no font, no address to fetch.
"""
