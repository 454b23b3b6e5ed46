"""What the sandbox providers of payment and shipping share: a ledger of everything that they ever did."""
