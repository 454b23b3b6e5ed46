"""How valid input is broken. Everything is drawn from the random numbers of one case, so that its seed is all that a replay needs."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

from tests.bad_input import hostile
from tests.bad_input.documents import Pairs, plain, written

BITS: Final = 8
Path = tuple[str | int, ...]


def of_bytes(random: Random, samples: Sequence[bytes]) -> bytes:
    """Bits, pieces, ends and lengths."""
    content = bytearray(random.choice(samples))
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        place = random.randrange(len(content) + 1)
        match random.randrange(9):
            case 0 | 1 if content:
                content[random.randrange(len(content))] ^= 1 << random.randrange(BITS)
            case 2:
                del content[place:]
            case 3:
                content[place:place] = random.randbytes(random.choice((1, 4, 64)))
            case 4:
                del content[place : place + random.choice((1, 2, 8, 100))]
            case 5:
                other = random.choice(samples)
                content = content[:place] + other[random.randrange(len(other) + 1) :]
            case 6 if content:  # heads hold magic numbers, flags and declared lengths
                content[random.randrange(min(16, len(content)))] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 7:
                content += bytes(content) if len(content) < hostile_size(random) else b"\x00"
            case _:
                content = bytearray(random.choice((*hostile.BLOBS, *hostile.bombs())))
    return bytes(content)


def hostile_size(random: Random) -> int:
    """Up to which something is doubled."""
    return random.choice((1_000, 100_000))


def of_text(random: Random, samples: Sequence[str]) -> str:
    """Characters of every kind, in, out and about."""
    text = random.choice(samples)
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.randrange(len(text) + 1)
        match random.randrange(8):
            case 0 if text:
                place = random.randrange(len(text))
                text = f"{text[:place]}{random.choice(_CHARACTERS)}{text[place + 1 :]}"
            case 1:
                text = text[:place]
            case 2:
                text = text[:place] + random.choice(hostile.TEXTS) + text[place:]
            case 3:
                text = text[:place] + text[place + random.choice((1, 2, 8)) :]
            case 4:
                text = text.swapcase()
            case 5:
                text += random.choice((text, text * 50 if len(text) < 2_000 else "", "=", "\n", " "))
            case 6:
                other = random.choice(samples)
                text = text[:place] + other[random.randrange(len(other) + 1) :]
            case _:
                text = random.choice(hostile.TEXTS)
    return text


_CHARACTERS: Final = "\x00\x7f\ud800\u2028²٣ö=./-+_%:0aZ \"'\\{}[]"


def of_json(random: Random, samples: Sequence[Any]) -> bytes:
    """A document broken as a tree, and sometimes its bytes after that."""
    content = written(of_tree(random, samples)).encode("utf-8", "surrogatepass")
    return of_bytes(random, [content]) if random.random() < 0.1 else content


def of_json_text(random: Random, samples: Sequence[Any]) -> str:
    """The same as a text, where one comes from a library that has decoded it."""
    text = written(of_tree(random, samples))
    return of_text(random, [text]) if random.random() < 0.1 else text


def of_plain(random: Random, samples: Sequence[Any]) -> Any:
    """The same behind the parser."""
    return plain(of_tree(random, samples))


def of_tree(random: Random, samples: Sequence[Any], values: Callable[[Random], Any] | None = None) -> Any:
    """Values of other kinds, keys that are missing, foreign or there twice, branches in the wrong place."""
    tree = random.choice(samples)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        tree = _changed(random, tree, samples, values or any_value)
    return tree


def any_value(random: Random) -> Any:
    """Deep ones are rarer: they are long to write."""
    kind = random.randrange(20)
    if kind == 0:
        return random.choice(hostile.DEEP)
    return random.choice((hostile.TEXTS, hostile.NUMBERS, hostile.OTHERS)[kind % 3])


def _changed(random: Random, tree: Any, samples: Sequence[Any], values: Callable[[Random], Any]) -> Any:
    paths = list(paths_in(tree))
    path = random.choice(paths)
    found = value_at(tree, path)
    match random.randrange(10):
        case 0 | 1 | 2:
            return with_value(tree, path, values(random))
        case 3 if path:
            return without(tree, path)
        case 4:
            return with_value(tree, path, value_at(tree, random.choice(paths)))
        case 5:
            donor = random.choice(samples)
            return with_value(tree, path, value_at(donor, random.choice(list(paths_in(donor)))))
        case 6 if isinstance(found, dict):
            name = random.choice([*found, *hostile.TEXTS[:20], "extra"])
            return with_value(tree, path, Pairs((*found.items(), (name, values(random)))))
        case 6 | 7 if isinstance(found, list):
            more = found * random.choice((2, 50)) if len(found) < 100 else []
            return with_value(tree, path, [*found, *more, values(random)])
        case 7 if isinstance(found, dict):
            shuffled = list(found.items())
            random.shuffle(shuffled)
            return with_value(tree, path, dict(shuffled))
        case _ if isinstance(found, str):
            return with_value(tree, path, of_text(random, [found]))
        case _ if isinstance(found, int) and not isinstance(found, bool):
            return with_value(tree, path, random.choice((found + 1, found - 1, -found, str(found), float(found))))
        case _:
            return with_value(tree, path, values(random))


def paths_in(tree: Any, path: Path = ()) -> Iterator[Path]:
    """The way to every value."""
    yield path
    if isinstance(tree, dict):
        for name in tree:
            yield from paths_in(tree[name], (*path, name))
    elif isinstance(tree, list | tuple):
        for place, inner in enumerate(tree[:50]):
            yield from paths_in(inner, (*path, place))


def value_at(tree: Any, path: Path) -> Any:
    """What stands there."""
    for step in path:
        tree = tree[step]
    return tree


def with_value(tree: Any, path: Path, value: Any) -> Any:
    """Another tree, with the value there."""
    if not path:
        return value
    step, *rest = path
    if isinstance(tree, dict):
        return {**tree, step: with_value(tree[step], tuple(rest), value)}
    copied = list(tree)
    copied[int(step)] = with_value(copied[int(step)], tuple(rest), value)
    return copied


def without(tree: Any, path: Path) -> Any:
    """Another tree, without what stands there."""
    *before, step = path
    parent = value_at(tree, tuple(before))
    if isinstance(parent, dict):
        left: Any = {name: inner for name, inner in parent.items() if name != step}
    else:
        left = [inner for place, inner in enumerate(parent) if place != step]
    return with_value(tree, tuple(before), left)


def of_item(random: Random, samples: Sequence[Any]) -> Any:
    """A DynamoDB item: attributes of other types, numbers of other forms, and what no SDK gives."""
    item = plain(of_tree(random, samples, attribute))
    return item if isinstance(item, dict) else {"it": item}


def attribute(random: Random) -> Any:
    """One attribute value; now and then one that is none."""
    match random.randrange(12):
        case 0 | 1 | 2:
            return {"S": random.choice(hostile.TEXTS)}
        case 3 | 4 | 5:
            return {"N": random.choice(hostile.NUMERALS)}
        case 6:
            return {"B": random.choice((*hostile.BLOBS, *hostile.bombs()))}
        case 7:
            return {"BOOL": random.random() < 0.5}
        case 8:
            return {"NULL": True}
        case 9:
            return random.choice(
                ({"L": []}, {"M": {}}, {"L": [{"S": "x"}]}, {"SS": ["x"]}, {"NS": ["1"]}, {"BS": [b""]})
            )
        case 10:
            return random.choice(({}, {"S": 5}, {"N": 5}, {"B": "x"}, {"X": "x"}, {"M": []}, {"L": {}}, None, "x", []))
        case _:
            return random.choice((random.choice(hostile.NUMERALS), random.choice(hostile.BLOBS)))
