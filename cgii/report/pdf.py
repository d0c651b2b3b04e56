"""HTML to PDF by WeasyPrint, which lives only here; a document fetches nothing."""

from cgii.base.errors import Unavailable
from cgii.base.ids import digest


def make_pdf(html: str) -> bytes:
    """The document as PDF; the same HTML gives the same bytes.

    Raises Unavailable when the machine lacks the libraries that draw text.
    """
    try:
        # Here and not above: it loads Pango, which a centre without PDF may do without.
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:
        raise Unavailable(
            "No se puede producir el PDF: falta Pango en este equipo. Instálelo con: apt install "
            "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core. "
            "Mientras tanto use el formato HTML."
        ) from error
    # No protocol is allowed: neither files nor the network, not even data in the address.
    nothing = URLFetcher(allowed_protocols=(), allow_redirects=False)
    document = HTML(string=html, url_fetcher=nothing)
    # The identifier would be random, and two copies of one report would differ.
    made: bytes = document.write_pdf(pdf_identifier=digest("pdf", html).encode())
    return made
