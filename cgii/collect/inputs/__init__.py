"""One module per way in: each hands over raw lines and knows nothing of what they mean."""
