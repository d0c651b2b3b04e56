"""The pages of rules, light and dark: no serious fault of access, and they fit a phone."""

import pytest

from tests.e2e.test_accessible import serious
from tests.e2e.watching import WIDTHS, Visit, picture_of, still, too_wide

SUDO = "cbb5c803-9850-53ec-ba7f-5ad9be3c5085"
PAGES = {
    "lista": "/reglas",
    "ruidosas": "/reglas/ruidosas",
    "attack": "/reglas/attack",
    "rechazadas": "/reglas/rechazadas",
    "ajustes": "/reglas/ajustes",
    "regla": f"/reglas/{SUDO}",
    "nueva": "/reglas/nueva",
    "cambiar": f"/reglas/{SUDO}/editar",
    "retirar": f"/reglas/{SUDO}/retirar",
    "suprimir": f"/reglas/{SUDO}/ajustar/suprimir",
    "excluir": f"/reglas/{SUDO}/ajustar/excluir",
    "historico": f"/reglas/{SUDO}/historico",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_rules_can_be_used_by_everybody_and_fit(visit: Visit, theme: str) -> None:
    page = visit("coordinator", theme=theme)
    faults: dict[str, list[str]] = {}
    for name, path in PAGES.items():
        page.goto(path)
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            still(page)
            picture_of(page, f"7-acceso/reglas-{name}-{theme}-{width}")
            if found := [*serious(page), *too_wide(page)]:
                faults[f"{name} {width}"] = found
    assert not faults, faults
