"""The real workflows, with a ledger that tells a witness what a worker did."""
