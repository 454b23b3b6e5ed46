"""What an auditor runs who has nothing of ours but a file: one script, the standard library, no network. `orderstore audit verify
--offline` calls the same functions.
"""
