"""Small workflows for tests of jobs: deterministic, without torch, with every way to end badly."""
