"""What does the network not know? Draws from its posterior: MC dropout, and the single point estimate to compare with."""
