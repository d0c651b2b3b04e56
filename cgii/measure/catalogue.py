"""All metrics in one place: importing their modules here is what registers them."""

from collections.abc import Mapping

from cgii.base.errors import NotFound
from cgii.measure import (  # noqa: F401 - each module registers its metrics
    alert_metrics,
    attention_metrics,
    event_metrics,
    incident_metrics,
    plan_metrics,
    time_metrics,
)
from cgii.measure.metric import METRICS, Metric

ALL: Mapping[str, Metric] = METRICS


def metric_named(name: str) -> Metric:
    """The metric of that id. Raises NotFound."""
    if name not in ALL:
        raise NotFound("No existe la medida «{name}».", name=name)
    return ALL[name]
