"""The convergence kit as a product: what users call, read and subclass."""
