"""From the log to the topic: what is told of a commit, in which order, and how old is what waits."""
