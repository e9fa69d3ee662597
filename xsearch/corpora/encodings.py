"""Bytes → text: which encoding a text is in, and a text in which nothing is left that is not text."""

from __future__ import annotations

import codecs
import re
import unicodedata

from xsearch.core.errors import BadInput

UTF8 = "utf-8"

BOMS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
"""What browsers read under a declared name (WHATWG Encoding Standard, 4.2): the larger set that files really use."""

NOT_CHARSETS = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7"}
"""Codecs of Python that turn bytes into text but are no encoding that a document would be stored in."""

CONTROLS = bytes(c for c in range(32) if c not in b"\b\t\n\f\r\x1b") + b"\x7f"
NOT_CONTROLS = bytes(sorted(set(range(256)) - set(CONTROLS)))
"""Escape and backspace are left out of the controls: terminal recordings and ISO 2022 text are text."""

MAX_CONTROLS_UTF8 = 0.25
"""Share of control bytes above which even valid UTF-8 is binary."""
MAX_CONTROLS = 0.05
"""The same for other bytes: random ones have 27/256 = .105, text in any 8-bit encoding next to none."""

WINDOW = 64 << 10
"""Bytes that are shown to the detector, from shortly before the first that is not ASCII."""

ENOUGH = 2
"""Bytes beyond ASCII that it takes to tell one 8-bit encoding from another; with fewer it is the commonest."""

_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)|<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]+)""", re.I
)
_NEWLINES = re.compile("\r\n?")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


def codec_name(label: str) -> str | None:
    """Python's name of a text encoding, None if there is none of that label."""
    try:
        "a".encode(label)  # Codecs that are no text encodings ("zip") refuse this.
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    return None if name.replace("_", "-") in NOT_CHARSETS else name


def declared_encoding(data: bytes) -> str | None:
    """The codec that a page's ``<meta charset>`` or an XML declaration names in the first 4 KiB, if it is one."""
    found = _DECLARED.search(data, 0, 4096)
    if found is None:
        return None
    name = codec_name((found[1] or found[2]).decode("ascii", "replace"))
    # A declaration that could be read byte by byte is not in an encoding of two or four bytes a character.
    if name is None or name.startswith(("utf-16", "utf-32")):
        return None
    return SUPERSETS.get(name, name)


def detect_encoding(data: bytes, declared: str | None = None, complete: bool = True) -> str:
    """The codec that `data`, a file or the beginning of one (`complete` false), is written in.

    In this order: a byte order mark, valid UTF-8, the declared codec if it fits, UTF-8 with a few bad bytes, then
    statistics (chardet). Raises `BadInput` if the bytes are no text.
    """
    for mark, marked in BOMS:
        if data.startswith(mark):
            return marked
    controls = len(data.translate(None, delete=NOT_CONTROLS)) / max(1, len(data))
    if _fits(data, UTF8, complete) and controls <= MAX_CONTROLS_UTF8:
        # ISO 2022 (Japanese mail) is ASCII throughout and switches its character sets with such sequences.
        codec = _statistical(data) if b"\x1b$" in data else None
        return codec if codec is not None and codec.startswith("iso2022") else UTF8
    if declared is not None and controls <= MAX_CONTROLS and _fits(data, declared, complete):
        return declared
    if controls <= MAX_CONTROLS and _nearly_utf8(data):
        return UTF8
    codec = _statistical(data)
    if codec is None or (controls > MAX_CONTROLS and not codec.startswith(("utf-16", "utf-32"))):
        raise BadInput("binary data, not text")
    return codec


def _fits(data: bytes, codec: str, complete: bool) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(data, complete)
    except UnicodeError:
        return False
    return True


def _nearly_utf8(data: bytes) -> bool:
    """Whether the bytes are UTF-8 with a bad byte here and there, or with the last character cut in two."""
    text = data.decode(UTF8, "replace")
    bad = text.count("�")
    good = sum(map(len, re.findall(r"[^\x00-\x7f]+", text))) - bad
    cut = _fits(data, UTF8, complete=False) and (good > 0 or data[-1] < 0xC0)
    return cut or bad * 10 <= good


def _statistical(data: bytes) -> str | None:
    import chardet
    from chardet import EncodingEra

    first = _BEYOND_ASCII.search(data)
    start = max(0, first.start() - 1024) if first is not None and b"\0" not in data else 0
    window = data[start : start + WINDOW]
    eras = EncodingEra.MODERN_WEB | EncodingEra.LEGACY_ISO
    if not _may_be_typography(window):
        eras |= EncodingEra.DOS
    found = chardet.detect(window, encoding_era=eras, prefer_superset=False, compat_names=False)
    if found["encoding"] is None:
        return None
    codec = codecs.lookup(found["encoding"]).name
    codec = SUPERSETS.get(codec, codec)
    return (
        "cp1252"
        if codec.startswith(("cp125", "cp874", "iso8859", "koi8")) and _may_be_western(window, codec)
        else codec
    )


def _may_be_western(data: bytes, codec: str) -> bool:
    """Whether windows-1252 reads the same text as `codec`, or what `codec` reads is not to be believed."""
    text = data.decode(codec, "replace")
    few = len(_BEYOND_ASCII.findall(data)) < ENOUGH
    return few or text == data.decode("cp1252", "replace") or _mixes_scripts(text)


def _may_be_typography(data: bytes) -> bool:
    """Whether all that windows-1252 reads beyond ASCII are signs where signs stand, as in English with “quotes” and
    dashes: the code pages of DOS (437, 850, 852, 866 …) have letters there. Too few bytes may be anything."""
    text = data.decode("cp1252", "replace")
    around = zip(" " + text, text, text[1:] + " ", strict=False)
    signs = [(a.isalpha() and b.isalpha() and sign not in "’–—", sign) for a, sign, b in around if not sign.isascii()]
    return len(signs) < ENOUGH or not any(within or sign.isalpha() for within, sign in signs)


def _mixes_scripts(text: str) -> bool:
    """Whether most letters beyond ASCII touch an ASCII letter and yet are not Latin: "naпve" for "naïve".

    A few accents in a short text are too little for statistics; that no language mixes scripts within words is not.
    """
    foreign = [
        (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha())
        for before, letter, after in zip(" " + text, text, text[1:] + " ", strict=False)
        if not letter.isascii() and letter.isalpha() and not unicodedata.name(letter, "").startswith("LATIN")
    ]
    return sum(foreign) * 2 > len(foreign)


def encoding_name(codec: str) -> str:
    """A codec's usual name for a person: "windows-1251" for "cp1251", "iso-8859-2" for "iso8859-2"."""
    for codec_prefix, prefix in (("cp125", "windows-125"), ("iso8859", "iso-8859")):
        if codec.startswith(codec_prefix):
            return prefix + codec[len(codec_prefix) :]
    return codec.replace("_", "-")


def decode(data: bytes, codec: str) -> tuple[str, int | None]:
    """The text without its byte order mark, bad bytes as U+FFFD; and the line of the first bad byte, if any."""
    bad_line = None
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        bad_line = data[: error.start].decode(codec, "replace").count("\n") + 1
        text = data.decode(codec, "replace")
    return text.removeprefix("\ufeff"), bad_line


def normalize_newlines(text: str) -> str:
    """The text with ``\\r\\n`` and ``\\r`` as ``\\n``."""
    return _NEWLINES.sub("\n", text) if "\r" in text else text


def well_formed(text: str) -> str:
    """The text with surrogate pairs joined and lone surrogates, which no encoding can hold, as U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
