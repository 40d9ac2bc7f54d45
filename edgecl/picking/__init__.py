"""Images to label next: typical ones first, then those that a model doubts."""
