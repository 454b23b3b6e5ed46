"""Whether the books are complete: every number of every series, and every order's invoice and credit notes, held to the log."""
