"""The Online Retail data set (Chen 2015, UCI, doi:10.24432/C5BW33) as typed invoices, instructions and rejects.

Read in this order: `model` (what comes out), `rows` (one physical line), `classify` (one invoice), `matching` (a cancellation finds its
sale), `staging` (the temporary on-disk index that keeps memory flat), `report` (what was rejected, and why).
"""
