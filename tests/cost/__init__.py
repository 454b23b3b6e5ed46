"""What one order costs: a meter at the border to AWS, the scenarios that it counts, and the table that comes of it."""
