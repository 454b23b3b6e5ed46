"""Orders that a subscription could not go on with: whose fault an error is, and how such an order is taken up again."""
