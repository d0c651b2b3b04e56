"""The YARA rules: families, levels, what they found in evidence, files that were refused."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from cgii.detect.yara_child import MISSING, is_available
from cgii.web.access import require
from cgii.web.answers import render
from cgii.web.deps import CurrentSession, CurrentUser, TheCentre
from cgii.web.file_scans import families, files_found
from cgii.web.language import gettext

router = APIRouter(prefix="/reglas/yara", include_in_schema=False)


@router.get("", dependencies=[require("rules.see")])
def yara_list(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """Every family in force with what it found, and every file that was refused."""
    compiled = centre.yara.compiled()
    found = files_found(session, user)
    return render(
        request,
        "rules/yara.html",
        families=families(compiled.rules, found),
        total=len(compiled.rules),
        found=found,
        rejected=compiled.rejected,
        version=compiled.version,
        missing="" if is_available() else gettext(MISSING),
        bounds=centre.yara.bounds,
    )
