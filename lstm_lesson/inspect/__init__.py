"""Looking inside: gradients checked, gates and states traced, held at a value, or broken."""
