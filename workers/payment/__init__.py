"""The payment worker: authorises, captures, voids and refunds, so that no customer is ever charged twice.

`gateway` is the provider as we see it, `attempts` what is written down before it is called, `handler` the worker,
`sandbox` a provider for demonstrations and tests.
"""
