"""How the focus detector learns, and how good it is."""
