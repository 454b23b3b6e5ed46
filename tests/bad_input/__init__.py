"""Bad input for every decoder: valid examples made by the real encoders, broken in thousands of seeded ways, and what may come of it."""
