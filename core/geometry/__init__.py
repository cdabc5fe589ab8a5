"""What a network's activations look like: capture, collapse, alignment, complexity, maps, mode connectivity."""
