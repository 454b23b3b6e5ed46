"""What an auditor asks of the log: that it is as it was written, by its chains (`verify.py`) and by signed roots over all of it
(`merkle.py`, `roots.py`, `root_maker.py`, `anchored.py`, `whole.py`); one order with its proof for a third party (`bundle.py`,
`standalone/`); and what happened to an order, by whom and why (`history.py`).
"""
