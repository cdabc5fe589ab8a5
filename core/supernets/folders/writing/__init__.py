"""Networks written as transformers' own classes: config.json, tensors by its names, and what had to be padded."""
