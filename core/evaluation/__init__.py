"""Measuring subnets: the exact evaluator, counted costs, latency. Importing this loads no torch."""
