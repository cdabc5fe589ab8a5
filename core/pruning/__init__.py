"""Which units of a network belong together: the groundwork of permuting, merging and pruning them."""
