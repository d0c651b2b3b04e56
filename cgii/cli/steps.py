"""How far a long step over many events is, shown while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Told = Callable[[str, Iterator[int], int | None], None]  # what, events of each batch, all of them


@contextmanager
def shown_steps() -> Iterator[Told]:
    """Shows how far a step is, on a terminal; elsewhere the steps pass in silence."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,}{task.fields[of]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:

        def told(what: str, batches: Iterator[int], total: int | None) -> None:
            of = "" if total is None else f" de {total:,}"
            task = shown.add_task(what, total=total, of=of)
            for count in batches:
                shown.advance(task, count)
            shown.update(task, completed=total)

        yield told
