"""The small tables that a worker owns: a port with conditional writes and transactions, in memory and on DynamoDB.

Every service table (payment attempts, stock, notifications, the sandbox's ledger) is written once over this port, so that
what the tests try on memory is the code that runs on DynamoDB.
"""
