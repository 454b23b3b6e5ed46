"""The renderings of one document bound together, as a ZIP archive that is not compressed: one object to store, which is what S3 charges.
Whoever has opened the seal can read it with any tool. The same renderings give the same bytes.

    NotBound    the bytes are no binding, or one with something else in it
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Final

from orderstore.domain.billing_facts import MediaType

NAMES: Final[Mapping[MediaType, str]] = {"application/pdf": "document.pdf", "text/html": "document.html"}
"""What the renderings are called in it, in their order."""
_WHEN: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can tell: when it was drawn is told by the log
RENDERING_BYTES_MAX: Final = 64_000_000


class NotBound(ValueError):
    """The bytes are no binding of renderings."""


def bind(renderings: Mapping[MediaType, bytes]) -> bytes:
    """All of them as one."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression=zipfile.ZIP_STORED) as archive:
        for media_type, name in NAMES.items():
            if media_type in renderings:
                archive.writestr(zipfile.ZipInfo(name, date_time=_WHEN), renderings[media_type])
    return content.getvalue()


def unbind(content: bytes) -> dict[MediaType, bytes]:
    """What `bind` bound. Raises NotBound."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            media_types = {name: media_type for media_type, name in NAMES.items()}
            members = archive.infolist()
            if len(members) > len(NAMES):  # many entries may stand for the same bytes, each read anew
                raise NotBound(f"{len(members)} renderings, where there are {len(NAMES)} kinds")
            return {media_types[member.filename]: _read(archive, member) for member in members}
    # NotImplementedError and RuntimeError are zipfile's own words for damaged headers: an unknown version, an encrypted member.
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise NotBound(f"no renderings bound together: {type(error).__name__}") from error


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Nothing unpacks to more than there is: what is compressed is not ours."""
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > RENDERING_BYTES_MAX:
        raise NotBound(f"{member.filename} is not as it is bound")
    return archive.read(member)
