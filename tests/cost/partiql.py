"""Which item a PartiQL statement writes, and what it puts there: as far as the meter must know. Only the two forms that the views use."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_INSERT: Final = re.compile(r"""^\s*INSERT\s+INTO\s+"([^"]+)"\s+VALUE\s+\{(.*)\}\s*$""", re.IGNORECASE | re.DOTALL)
_UPDATE: Final = re.compile(r"""^\s*(UPDATE|DELETE\s+FROM)\s+"([^"]+)"(.*?)\sWHERE\s(.*)$""", re.IGNORECASE | re.DOTALL)
_FIELD: Final = re.compile(r"""['"]([^'"]+)['"]\s*:\s*\?""")
_EQUALS: Final = re.compile(r"""["']?([A-Za-z_][\w.-]*)["']?\s*=\s*\?|\?""")


@dataclass(frozen=True, slots=True)
class Written:
    """What a statement writes. `item` where it names the whole of it."""

    table: str
    key: Mapping[str, Any]
    item: Mapping[str, Any] | None


def written(statement: str, parameters: Sequence[Any], key_names: Mapping[str, Sequence[str]]) -> Written:
    """Take a statement apart. `key_names`: by table. Raises ValueError for one of another form."""
    if found := _INSERT.match(statement):
        table, fields = found.groups()
        names = _FIELD.findall(fields)
        if len(names) != len(parameters):
            raise ValueError(f"{len(parameters)} parameters for {len(names)} fields: {statement}")
        item = dict(zip(names, parameters, strict=True))
        return Written(table, {name: item[name] for name in key_names[table]}, item)
    if found := _UPDATE.match(statement):
        _, table, changes, condition = found.groups()
        before = changes.count("?")
        key: dict[str, Any] = {}
        for number, match in enumerate(_EQUALS.finditer(condition), start=before):
            if match.group(1) in key_names[table]:
                key[match.group(1)] = parameters[number]
        if len(key) == len(key_names[table]):
            return Written(table, key, None)
    raise ValueError(f"a statement that the meter does not know: {statement}")
