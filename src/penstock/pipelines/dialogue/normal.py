"""The one normal form of an utterance: what is learned from, asked and shown is brought to it."""

import re
import unicodedata

QUOTES = str.maketrans({"‘": "'", "’": "'", "`": "'", "´": "'", "“": '"', "”": '"'})
JOINED = re.compile(r"(?<=\w) ?' ?(?=(?:s|t|m|d|ll|re|ve|clock)\b)", re.IGNORECASE)
BEFORE = re.compile(r" +([.,!?;:%)\]…])")  # what stands without a space before it
SPACES = re.compile(r"\s+")
INVISIBLE = "\u200c\u200d"  # joiners: parts of words in Persian and Hindi, and of emoji
WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def normalise(text: str) -> str:
    """Bring an utterance to its normal form; to bring it there again changes nothing.

    Unicode's NFC; straight quotes; runs of white space as one space; no control, format, private
    or half characters; punctuation as it is written (`don't stop!`, where corpora that were cut
    into tokens have `don ’ t stop !`).
    """
    text = SPACES.sub(" ", text)
    if not text.isprintable():
        text = SPACES.sub(" ", "".join(it for it in text if _is_visible(it)))
    text = JOINED.sub("'", unicodedata.normalize("NFC", text).translate(QUOTES))
    return BEFORE.sub(r"\1", text).strip()


def _is_visible(letter: str) -> bool:
    return letter in INVISIBLE or unicodedata.category(letter)[0] != "C"


def split_words(text: str) -> list[str]:
    """Words and marks of an utterance in normal form, in small letters."""
    return WORD.findall(text.lower())


def same_words(text: str) -> str:
    """What tells utterances apart that say the same: their words, whatever marks and capitals."""
    return " ".join(it for it in split_words(text) if it[0].isalnum()) or text
