"""Tests: each folder mirrors one of the code's; helpers that several share stand here."""
