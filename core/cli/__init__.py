"""`python -m core ...`: one command per workflow, for scripts, class servers and papers."""
