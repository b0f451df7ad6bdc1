"""The engine: recurrent layers in NumPy, to read, check and trust. It imports nothing of ours."""
