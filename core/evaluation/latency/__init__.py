"""Latency of a whole space from a sample of timed subnets: plan, protocol, profile, model, candidates."""
