"""The payment worker: authorises, captures, voids and refunds, so that no customer is ever charged twice.

`gateway` is the provider as we see it, `attempts` what is written down before it is called, `handler` the worker, `earlier` the end of an
attempt that another one follows, `disputes` what banks do afterwards, `hints` how somebody is made to look, `sandbox` a provider for
demonstrations and tests.
"""
