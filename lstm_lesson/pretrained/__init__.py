"""Trained networks that ship with the book, each beside the code that trained it."""
