"""Images in a folder, their classes, and notes on all that was skipped.

Training, audit and line take the same images of a folder, because they find them here.
"""
