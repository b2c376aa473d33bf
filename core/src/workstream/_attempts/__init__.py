"""An attempt, as far as no event loop is concerned: its context, and how it is judged."""
