"""Other people's active learners, each done as its paper has it. NumPy and SciPy only; no network is trained here."""
