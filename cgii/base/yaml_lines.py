"""Reads YAML and remembers on which line each value stood, so that a mistake can be shown."""

from typing import Any

import yaml

Place = tuple[str | int, ...]


class BadYaml(ValueError):
    """The text is not YAML that we accept; `line` says where, if known."""

    def __init__(self, reason: str, line: int | None) -> None:
        self.line = line
        super().__init__(reason)


def read_yaml(text: str) -> tuple[Any, dict[Place, int]]:  # any YAML value
    """The value, and for each place in it (keys and indexes from the root) its line."""
    loader = yaml.CSafeLoader(text)
    lines: dict[Place, int] = {}
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.CSafeLoader)):
            raise BadYaml("no se admiten alias (*nombre)", None)
        node = loader.get_single_node()
        if node is None:
            raise BadYaml("el archivo está vacío", 1)
        _walk(node, (), lines)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYaml(
            f"no es YAML válido: {error.problem}", mark.line + 1 if mark else None
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, BadYaml):
            raise
        raise BadYaml(f"no es YAML válido: {error}", None) from error
    finally:
        loader.dispose()


def _walk(node: yaml.Node, place: Place, lines: dict[Place, int]) -> None:
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise BadYaml(f"la clave «{key.value}» está dos veces", key.start_mark.line + 1)
            seen.add(key.value)
            _walk(value, (*place, key.value), lines)
            lines[(*place, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*place, index), lines)
