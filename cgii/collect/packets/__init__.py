"""What goes over the wire: captures and flow records in, records of what was said out."""
