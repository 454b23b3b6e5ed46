"""Our log held to what others keep: `payments` compares it with the provider's books, `daily` does so each day."""
