"""askwell: deep Bayesian active learning with images. Ask well, label less."""
