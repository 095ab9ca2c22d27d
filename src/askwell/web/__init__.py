"""The labelling page: it shows what the store says is next and writes down answers. It knows no torch and nothing of the loop."""
