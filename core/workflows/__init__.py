"""The verbs: one module each, with a `Request` and a resumable generator `run(request, ledger)`.

Pages, the command line, worker processes and tests drive the same generators.
"""
