"""A folder on the disk to the images in it, their classes, and a word on all that was not taken.

Training, audit and line take the same images of a folder, because they find them here.
"""
