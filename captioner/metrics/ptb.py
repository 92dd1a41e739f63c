"""Captions -> words as the COCO scorer splits them, without its Java.

The official scorer hands captions to the Penn Treebank tokeniser of Stanford CoreNLP 3.4.1 with the
options `-preserveLines -lowerCase`, and takes punctuation out of what comes back (pycocoevalcap's
`PTBTokenizer`). `tokenise` gives the same words. It was written from what that program answers, on
every caption of Flickr8k, on every short word with a full stop or an apostrophe, on every character
of the Basic Multilingual Plane, and on random text; of its source nothing is here.

Where the two still differ, none of which is in a caption of Flickr8k:

- A form feed, a vertical tab, a carriage return or U+2028 in a caption makes the official scorer
  give it the words of another caption from there on; here they are spaces.
- Letters that came into Unicode after version 6, some vowel signs of Indic scripts, and entities
  of old newswire (`&cdq;`) are not told apart as there.
- Strings without a space in which signs meet in unusual ways ("a.com/x',,,", "-'c=\"d'"): of
  120,000 lines of random fragments, such as the tests' hard cases are made of, 74 differ.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

PUNCTUATION = {"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}
PUNCTUATION |= {"-LRB-", "-RRB-", "-LCB-", "-RCB-"}
"""What the COCO scorer takes out, in its spelling: round brackets come as `-lrb-`, and stay."""

LOOK_AHEAD = 12
"""So many characters of the next caption can say something about the last word of this one."""

# Rules read a shadow of the text, in which a character above ASCII stands for all of its kind.
LETTER, MARK, DIGIT, SIGN, RAISED, NOTHING = "éˊ٠§²\0"
A = f"[A-Za-z{LETTER}]"
W = f"[A-Za-z0-9{LETTER}{MARK}{DIGIT}]"
D = f"[0-9{DIGIT}]"
AN = "[A-Za-z0-9]"
APO = "['’]"
CLITIC = f"{APO}(?:[smd]|ll|re|ve)"

# Words that keep their full stop. The first two lots lose it to "etc.-a" and "etc.a".
PLACES = (
    "al|ala|apr|ariz|assn|aug|bhd|bldg|blvd|bros|calif|co|colo|conn|corp|cos|ct|dak|dec|esq|est|etc"
    "|ext|feb|fla|fri|ga|inc|ind|intl|jan|jr|jul|jun|kans?|ky|ltd|mar|md|mich|minn|mo|mon|mont|neb"
    "|nev|nov|oct|okla|penn|plc|rd|rt|sept?|seq|sq|sr|sys|tel|tenn|thu|thurs|tues?|univ|va|vt|wed"
    "|wisc?|wyo|(?-i:[Pp])p?t(?:es?|ys?)"
)
NAMED = (  # no words in lower case: "la", "miss"
    "(?-i:A[Zz]|L[Aa]|P[Aa]|A(?:rk|RK)|D(?:el|EL)|I(?:ll|LL)|O(?:re|RE)|T(?:ex|EX)|M(?:ass|ASS)"
    "|M(?:iss|ISS)|W(?:ash|ASH))"
)
TITLES = (
    r"ph\.d|cont'd|cf|dr|drs|ft|lt|mr|mrs|ms|mt|ph|st|ste|vs|wm|adj|adm|adv|ave|cie|col|cpl|det|ens"
    "|gen|govs?|hon|jos|maj|mme|pfc|pvt|reps?|rev|sens?|sfc|sgt|spc|alex|asst|atty|brig|capt|cmdr|dept|elec|insp"
    r"|invt|mlle|msgr|natl|pres|prof|supt|assoc|messrs|(?-i:[Mm](?:fg|tg))"
)
STARTERS = (
    "a|about|according|after|an|as|at|but|he|her|here|however|if|in|it|last|many|more|now|once|one"
    "|other|our|she|since|so|some|that|the|their|then|there|these|they|this|we|what|when|while|yet"
    "|you"
)
"""With these a sentence begins, so that a letter before them has its full stop to end one."""
NUMBERED = "ca|nos?|op|pp|art|figs?|prop"
ENDINGS = (
    "bat|bmp|c|cgi|class|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|ppt"
    "|ps|py|sql|tar|txt|wav|x|xml|zip"
)

WORD = rf"{A}{W}*(?:[.!?]{A}{W}*)*"
INITIAL = r"(?:[A-Za-z]\.)"
FRENCH = rf"(?:[dol]{APO}{A})?{W}+"  # o'clock
HYPHENED = rf"{FRENCH}(?:[-_‐]{FRENCH})+"
DOTTED = rf"{AN}[A-Za-z0-9.,]*(?:-(?:{INITIAL}{{2,}}|{AN}+))+"  # U.S.-based, 2.5-inch
SIDE = rf"{AN}+(?:-[A-Za-z]+){{0,2}}"
URL = r'[^\s\0\xa0"<>|()]'
URL_END = r'[^\s\0\xa0"<>|.!?(){},-]'
HOST = r'[^\s\0\xa0"<>|(){}.]'
TAG = (
    r"(?:<[!?][a-z-][^>\n]*>|</?[a-z][a-z0-9_:.-]*"
    r"(?: +[a-z][a-z0-9_:.-]*(?: *= *(?:\"[^\"]*\"|'[^']*'))?)* */?>)"
)

RULES = (
    rf"((?:{PLACES}|{NAMED})\.)(?:-.|\S)",
    WORD,
    rf"{W}+",
    rf"[-+]?{D}*(?:[.,:٫٬]{D}+)+|[-+]?{D}+",
    # Clitics
    rf"([A-Za-z]+)n{APO}t",
    rf"({WORD}){CLITIC}",
    rf"n{APO}t",
    rf"({CLITIC})(?:[^A-Za-z]|$)",
    # Hyphens and slashes
    HYPHENED,
    DOTTED,
    rf"{SIDE}(?:\\?/{SIDE}){{1,2}}",
    rf"(?:{D}{{1,4}}[- \xa0])?{D}{{1,4}}(?:\\?/|⁄){D}{{1,4}}",
    rf"{D}{{1,2}}/{D}{{1,2}}/{D}{{2,4}}",
    # Apostrophes that belong to a word
    rf"[dol]{APO}{W}{{2,}}",
    rf"{APO}n{APO}|{APO}n|[ldj]{APO}(?={A})|y{APO}(?={A})|{APO}em|{APO}till?|{APO}cause",
    rf"(?-i:[A-HJ-XZn]){APO}{A}{{2,}}",
    rf"{A}+[aeiouy]{APO}(?-i:[aeiouA-Z]){A}*",
    rf"e{APO}er|o{APO}o|ev{APO}ry|li{APO}l|cap{APO}n|nat{APO}l|nor{APO}easter|s{APO}mores",
    rf"ol{APO}|somethin{APO}|dunkin{APO}|c{APO}mon",
    rf"{APO}[2-9]0s|{APO}{D}{{2}}(?=[\s\0\xa0]|$)",
    r"('t)(?:is|was)",
    r"(')[A-Za-z][^\s\xa0]",
    CLITIC,
    # Full stops that belong to a word
    rf"{INITIAL}+",
    rf"([A-Za-z])\.\s+(?:(?-i:(?=[A-Z]))(?:{STARTERS}|m[rs]\.)|{TAG})\s",
    rf"(?:{PLACES}|{NAMED}|{TITLES})\.",
    rf"((?:{NUMBERED})\.)\s?{D}",
    rf"((?:{WORD}|{HYPHENED}|{FRENCH})\.)[,;:]",
    rf"({DOTTED}\.)[,;:]",
    rf"{AN}+(?:\.{AN}+)*\.(?:{ENDINGS})(?=[\s\0\xa0.,?!;:]|$)",
    # Other signs that do
    r"(?-i:[A-Z]+(?:(?:[&+]|&amp;)[A-Z]+)+)|c\+\+|[cf]#|(?-i:[A-Z]+)\$",
    # The web
    rf"https?://{URL}+{URL_END}",
    rf"(?:www\.)?(?:[a-z][a-z0-9]*\.)+(?:com|net|org|edu)(?:/{URL}+{URL_END})?",
    rf"www\.(?:[a-z0-9]+\.)+[a-z0-9]+(?:/{URL}+{URL_END})?",
    rf"<?{AN}{URL}*@(?:{HOST}+\.)*{HOST}+>?",
    r"@[a-z_][a-z_0-9]*",
    rf"#{A}+",
    # Tags and entities
    TAG,
    r"&(?:amp|lt|gt|quot|apos|nbsp|[mn]dash);|&#[0-9]+;|&[aeiou](?:acute|grave|uml);",
    # Faces
    rf"[<>]?[:;=](?-i:[-o*']?[()DdPpO\\|@{{\[\]])(?!{AN})",
    r"(?-i:\([-^x=~<>'][_.]?[-^x=~<>']\)|[-^x=~<>']_[-^x=~<>'])",
    # Telephone numbers
    rf"(?:\({D}{{2,3}}\)[ \xa0]?|(?:\+\+?)?(?:{D}{{2,4}}[- \xa0])?{D}{{2,4}}[- \xa0])"
    rf"{D}{{3,4}}[- \xa0]?{D}{{3,5}}",
    # Signs repeated
    rf"[!?]+|-+|\.{{3,5}}|_+|#+|@+|\*+|(?:\\\*){{1,3}}|<<|>>|''|’’|``|{RAISED}+",
    "-[LR][RSC]B-",
)
"""The longest match is the next word, the first of them where two are equally long. Where a rule
has a group, only that is the word: what follows counts for the length alone."""

IN_TWO = frozenset(["cannot", "gonna", "gotta", "lemme", "gimme", "wanna"])
"""Words that are two: their first three letters, and the others."""

WRITTEN = {
    "(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-",
    "¢": "cents", "£": "#", "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3",
    "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "'", "&apos;": "'", "&nbsp;": "'",
    "&mdash;": "-", "&ndash;": "-", "’’": "'",
    **dict.fromkeys("\x80¤₠€", "$"), **dict.fromkeys("\x85…", "..."),
    **dict.fromkeys("\x91\x92\x93\x94‘‛‹’›«“»”\"", "'"), **dict.fromkeys("\x96\x97–—―‐‑֊", "-"),
}  # fmt: skip
"""How a word is spelled that is this alone; which quotation mark or dash it is makes no difference,
as all of them are taken out."""


def tokenise(captions: Sequence[str]) -> list[str]:
    """The words of captions in lower case, with single spaces between them, without punctuation.

    They are read as lines of one text, as the official scorer does: where a caption ends in
    "letter B.", it depends on the beginning of the next one whether the full stop belongs to B.

    Args:
        captions: Any texts, in the order in which the official scorer has them: photo by photo. A
            line break in one counts as a space.

    Returns:
        A string for each; empty where there is no word. "5 1/2" is one word with a no-break space.

    Example: a bracket is no punctuation to the official scorer, for it looks for it in capitals.

        >>> tokenise(["A man's dog (isn't it?) jumps... at 5 p.m.", ""])
        ["a man 's dog -lrb- is n't it -rrb- jumps at 5 p.m.", '']
    """
    following = [*captions[1:], ""]
    return [
        " ".join(word for word in _split(*pair) if word not in PUNCTUATION)
        for pair in zip(captions, following, strict=True)
    ]


def _split(caption: str, following: str) -> list[str]:
    easy, rules, keeps_stop = _compiled()
    text = caption.replace("\xad", "").replace("\n", " ")
    shadow = f"{text}\n{following[:LOOK_AHEAD]}\n".translate(_shadow)
    words: list[str] = []
    at, end = 0, len(text)
    while at < end:
        if shadow[at] in " \t\xa0\0":
            at += 1
            continue
        # Most words are letters alone, with a space or a full stop after them.
        if match := easy.match(shadow, at):
            word, stop = match.group(), match.end()
            if word.lower() not in IN_TWO and not (shadow[stop] == "." and keeps_stop(word)):
                words.append(word.lower())
                at = stop
                continue
        longest = stop = at + 1
        for rule in rules:
            match = rule.match(shadow, at)
            if match and match.end() > longest:
                longest, stop = match.end(), match.end(rule.groups)
        words += _spell(text[at:stop], alone=longest == stop)
        at = stop
    return words


def _spell(word: str, alone: bool) -> list[str]:
    """How Java writes a word; nothing comes of dots, and of two to four hyphens."""
    lower = word.lower()
    if alone and lower in IN_TWO:
        return [lower[:3], lower[3:]]
    if lower in WRITTEN:
        return [WRITTEN[lower]]
    if set(word) == {"."} or (set(word) == {"-"} and len(word) < 5):
        return []
    if re.fullmatch(r"[’\x92](?:[smd]|ll|re|ve)|n[’\x92]t", lower):
        lower = re.sub(r"[’\x92]", "'", lower)
    if word[0] in ":;=<>(" and not word.startswith(("<!", "<?")):
        lower = lower.replace("(", "-lrb-").replace(")", "-rrb-")
    if word[0] not in "&":
        lower = lower.replace("&amp;", "&")
    return [lower.replace(" ", "\xa0")]


@cache
def _compiled() -> tuple[re.Pattern[str], tuple[re.Pattern[str], ...], Callable[[str], Any]]:
    easy = re.compile(r"[A-Za-z]+(?=[.,]?\s)")
    kept = re.compile(rf"{A}|{PLACES}|{NAMED}|{TITLES}|{NUMBERED}", re.I)
    return easy, tuple(re.compile(rule, re.I) for rule in RULES), kept.fullmatch


class _Shadow(dict[int, str]):
    """The kind of each character, found when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = kind = _kind(chr(code))
        return kind


def _kind(char: str) -> str:
    category = unicodedata.category(char)
    if char > "\uffff":  # Java's tokeniser leaves out what lies beyond the first plane, emoji too
        return NOTHING
    if char in "’\xa0⁄٫٬":
        return char
    if char in "‐‑֊":
        return "‐"
    if char == "\x92":
        return "’"
    if char in WRITTEN:
        return SIGN
    if category == "Nd":
        return DIGIT
    if category[0] == "L":
        return LETTER
    if category in ("Mn", "Mc") and char < "\u0f00":
        return MARK
    if char in "²³¹" or (category == "No" and "\u2070" <= char < "\u2090"):
        return RAISED
    signs = ("So", "Sm", "Sk", "Sc", "Po", "Ps", "Pe", "No", "Cn")
    return SIGN if category in signs and char < "\ufff0" else NOTHING


_shadow = _Shadow(
    {code: chr(code) if code >= 32 or code in (9, 10) else NOTHING for code in range(127)}
)
_shadow[127] = NOTHING
