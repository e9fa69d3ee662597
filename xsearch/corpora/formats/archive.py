"""Documents that are zip archives of parts (.docx, .epub), looked at before anything is unpacked."""

from __future__ import annotations

import io
import zipfile

from xsearch.core.errors import BadInput
from xsearch.corpora.source import mebibytes


def open_archive(data: bytes, kind: str, limit: int) -> zipfile.ZipFile:
    """The archive that `data` is. Raises `BadInput` for what is none, and for one that unpacks to more than `limit`
    bytes (`max_document_bytes`)."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise BadInput(f"damaged {kind}: {error}") from error
    # zipfile stops a part at the size that is declared here, so a false declaration unpacks no further.
    if sum(part.file_size for part in archive.infolist()) > limit:
        raise BadInput(f"unpacks to more than {mebibytes(limit)}, the limit for one document (max_document_bytes)")
    return archive
