"""A prior-fitted network: a small transformer that was shown thousands of made-up spaces and answers for a new one.

Source: Müller et al., "Transformers can do Bayesian inference", ICLR 2022; "PFNs4BO", ICML 2023. Trained by this
project (`training`), on data drawn from `prior`; asked without torch (`forward`).
"""
