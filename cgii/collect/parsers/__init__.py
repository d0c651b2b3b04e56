"""One module per wire format: bytes or an object in, the producer's fields out."""
