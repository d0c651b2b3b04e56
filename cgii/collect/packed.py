"""What people are told of a packed file that cannot be unpacked to its end."""


def packed_damage(error: Exception) -> str:
    """For what gzip raises: EOFError, OSError or zlib.error."""
    if isinstance(error, EOFError):
        why = "se corta antes de su final"
    elif isinstance(error, OSError) and error.strerror:
        why = error.strerror
    else:
        why = "su contenido cambió después de empaquetarlo, o no es de gzip"
    return f"el archivo empaquetado está dañado: {why}"
