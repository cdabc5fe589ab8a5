"""Plain networks: a chain of blocks, and everything that is known of one."""
