"""The live page: the newest judged image, its verdict, and how the line does."""
