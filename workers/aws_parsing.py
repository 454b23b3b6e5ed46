"""How the answers of AWS's JSON services are read: as botocore reads them, in less time.

botocore walks an answer beside its model: for each attribute value of each item it asks for each of the ten types that there could be. With
pages of commits and of stream records that was the dearest part of reading. Here each shape of the model is turned into a function once;
an answer is gone through once, in place, and only what must become something else (base64, a moment) is touched.

Nothing is left to chance: what is not as the model says (an unknown member, an odd union, a document that the quick reader refuses) is
given to botocore's own way. A test holds both to the same results, over every operation that this service uses.
"""

from binascii import a2b_base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from aiobotocore.session import AioSession
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

_JSON: Final = "json"
_Read = Callable[[Any], Any]
_AS_IS: Final = None
_SCALARS: Final = frozenset({"string", "boolean", "integer", "long", "float", "double"})


def read_quickly(session: AioSession) -> None:
    """Have every client that the session makes from now on read its answers this way."""
    session.register_component("response_parser_factory", _Factory())


class _Factory(AioResponseParserFactory):
    """One parser for as long as the session lives; it holds nothing of an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.set_parser_defaults(timestamp_parser=moment)
        self._json = QuickJSONParser(timestamp_parser=moment)

    def create_parser(self, protocol_name: str) -> Any:  # noqa: ANN401 - one parser or another of botocore's
        return self._json if protocol_name == _JSON else super().create_parser(protocol_name)


def moment(value: Any) -> datetime:  # noqa: ANN401 - as JSON has it
    """The same moment as botocore's; seconds since 1970 become UTC at once, without asking for this machine's zone."""
    if type(value) is int or type(value) is float:
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, ValueError, OSError):
            pass  # botocore knows what to do beyond what the platform can
    parsed: datetime = parse_timestamp(value)
    return parsed


class QuickJSONParser(AioJSONParser):
    """botocore's parser, with a reader made from each operation's shape."""

    _parse_shape: Callable[[Shape, Any], Any]  # botocore's, which its stubs leave out

    def __init__(self, timestamp_parser: _Read) -> None:
        super().__init__(timestamp_parser=timestamp_parser)
        self._moment = timestamp_parser
        # By the shape itself: an operation's is made once and kept by its model, of which there is one for each service.
        self._readers: dict[Shape, _Read | None] = {}

    def _handle_json_body(self, raw_body: bytes, shape: Shape) -> Any:  # noqa: ANN401 - whatever the model says
        try:
            document = orjson.loads(raw_body)
        except orjson.JSONDecodeError:
            # Nothing at all, or half a character: botocore says what that is.
            return super()._handle_json_body(raw_body, shape)  # type: ignore[misc] # the stubs leave it out
        try:
            read = self._readers[shape]
        except KeyError:
            read = self._readers[shape] = self._reader(shape, {})
        return document if read is None else read(document)

    def _reader(self, shape: Shape, made: dict[str, "_Structure"]) -> _Read | None:
        """What makes a value of this shape out of JSON; None: nothing to do. `made`: structures so far, as they may hold themselves."""
        if isinstance(shape, StructureShape):
            return made[shape.name] if shape.name in made else self._structure(shape, made)
        if isinstance(shape, ListShape):
            member = self._reader(shape.member, made)
            return _AS_IS if member is None else _list_of(member)
        if isinstance(shape, MapShape) and self._reader(shape.key, made) is None:
            value = self._reader(shape.value, made)
            return _AS_IS if value is None else _map_of(value)
        if shape.type_name in _SCALARS:
            return _AS_IS
        if shape.type_name == "blob":
            return a2b_base64
        return self._moment if shape.type_name == "timestamp" else self._slowly(shape)

    def _structure(self, shape: StructureShape, made: dict[str, "_Structure"]) -> _Read:
        renamed = any(member.serialization.get("name", name) != name for name, member in shape.members.items())
        if renamed or shape.is_document_type:
            return self._slowly(shape)
        structure = made[shape.name] = _Structure(self._slowly(shape), union=shape.is_tagged_union)
        structure.members = {name: self._reader(member, made) for name, member in shape.members.items()}
        return structure

    def _slowly(self, shape: Shape) -> _Read:
        def read(value: Any) -> Any:  # noqa: ANN401 - whatever the model says
            return self._parse_shape(shape, value)

        return read


class _Structure:
    """Reads an object: its members in place, if all of them are known; else by botocore's own way, before anything was changed."""

    __slots__ = ("_slowly", "_union", "members")

    def __init__(self, slowly: _Read, *, union: bool) -> None:
        self._slowly = slowly
        self._union = union
        self.members: dict[str, _Read | None] = {}

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - whatever the model says
        if type(value) is not dict or (self._union and len(value) != 1):
            return self._slowly(value)
        members = self.members
        for name, inner in value.items():
            if inner is None or name not in members:
                return self._slowly(value)
        for name, inner in value.items():
            read = members[name]
            if read is not None:
                value[name] = read(inner)
        return value


def _list_of(member: _Read) -> _Read:
    def read(value: list[Any]) -> list[Any]:
        return [None if inner is None else member(inner) for inner in value]

    return read


def _map_of(member: _Read) -> _Read:
    def read(value: dict[str, Any]) -> dict[str, Any]:
        for name, inner in value.items():
            value[name] = member(inner)
        return value

    return read
