"""Documents as people see them: HTML and PDF, made of a `Paper`; the same paper gives the same bytes. Templates lie in `templates`."""
