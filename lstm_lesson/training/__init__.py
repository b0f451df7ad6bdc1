"""Training: losses, optimisers, what can be trained, sources of batches, and the one loop."""
