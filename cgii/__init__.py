"""CGII: the national centre for computer-security incidents."""

__version__ = "0.1.0"
