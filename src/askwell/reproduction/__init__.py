"""Published experiments run again from committed settings, with results that are committed too. Works in a checkout only."""
