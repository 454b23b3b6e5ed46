"""Dead letters that people can work with: look without taking, group by cause, send on, correct, purge; all on record."""
