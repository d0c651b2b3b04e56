"""Reads a form's body once, within its limits, and keeps it for whoever asks again."""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cgii.base import limits
from cgii.base.errors import Invalid

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


async def read_sent(request: Request) -> FormData:
    """The form that was sent; empty when the body is no form. Raises Invalid past a limit."""
    kept = getattr(request.state, "sent", None)
    if isinstance(kept, FormData):
        return kept
    form = FormData()
    if request.headers.get("content-type", "").startswith(FORM_TYPES):
        form = await _parse(request)
    request.state.sent = form  # the error page shows it, so that nothing typed is lost
    return form


async def _parse(request: Request) -> FormData:
    try:
        form = await request.form(
            max_files=limits.FORM_FILES_MAX,
            max_fields=limits.FORM_FIELDS_MAX,
            max_part_size=limits.FORM_FIELD_BYTES_MAX,
        )
    except HTTPException as error:
        if error.status_code != 400:  # 413 and 408 come from the guard of the body
            raise
        raise Invalid(
            "El formulario es demasiado grande: cada campo admite hasta {kilobytes} KB. "
            "Acorte el texto o adjúntelo como archivo.",
            kilobytes=limits.FORM_FIELD_BYTES_MAX // 1024,
        ) from error
    for name, value in form.multi_items():
        text = value if isinstance(value, str) else value.filename or ""
        if "\0" in text:
            raise Invalid("El texto contiene caracteres que no se pueden guardar.", field=name)
    return form
