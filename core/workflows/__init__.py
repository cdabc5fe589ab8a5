"""The verbs: long work, one module each, with a `Request`, a LABEL, a WEIGHT_CLASS and a resumable generator `run(request, ledger, library)`.

Pages, the command line, worker processes and tests drive the same generators.
"""
