"""Networks written as lists of operations: what each may say, which channels belong together, where to cut them."""
