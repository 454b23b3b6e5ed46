"""Real processes, really killed: a fleet of roles, customers who keep ordering, a seeded plan of blows, and the reckoning afterwards."""
