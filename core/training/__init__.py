"""Training supernets: one loop, and strategies that say which subnets a step trains. Loads no torch."""
