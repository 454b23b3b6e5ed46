"""What a rate of orders asks of AWS, and what it costs: arithmetic over what one order was counted to do (`counted.json`, by
`python -m tests.cost`) and over one dated table of prices (`prices.json`). Asks AWS nothing."""
