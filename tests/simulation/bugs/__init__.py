"""Deliberate bugs, each a few lines put in the place of right ones while a run is played: who catches none of them proves nothing.

`python -m tests.simulation --bugs` plays each until it is caught. They are in the product's code, or, where a database keeps the promise,
in the database: then what is broken is the condition that the code relies on.
"""

from types import MappingProxyType
from typing import Final

from tests.simulation.bugs import departments, log, parts, projections, queues, stream, told
from tests.simulation.bugs.bug import Bug

BUGS: Final[tuple[Bug, ...]] = (
    *log.BUGS,
    *stream.BUGS,
    *projections.BUGS,
    *queues.BUGS,
    *departments.BUGS,
    *parts.BUGS,
    *told.BUGS,
)
BY_NAME: Final = MappingProxyType({bug.name: bug for bug in BUGS})
