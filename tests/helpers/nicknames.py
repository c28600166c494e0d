"""Nicknames that fit and that do not, for steps 3 and 4."""

GOOD = ["a", "Аня", "x" * 32, "ж" * 32, "名前", "o.neil-42_", "Straße", "2026", "_-."]
# Taken as they come: letters of full width, ligatures, and the letters that nobody can see.
GOOD += ["Ａｎｎ２", "ﬁn", "ﷺ" * 32, "ann\u3164", "\uffa0ann", "an\u115fn", "an\u1160n"]
BAD = {
    "empty": "",
    "33 characters": "x" * 33,
    "white space": "ann lee",
    "a tab": "ann\tlee",
    "no-break space": "ann\u00a0lee",
    "line separator": "ann\u2028lee",
    "a colon": "ann:",
    "a comma": "ann,bob",
    "an apostrophe": "o'neil",
    "escape": "ann\x1b[31m",
    "DEL": "ann\x7f",
    "C1": "ann\x9bK",
    "an override of direction": "ann\u202elee",
    "starts with *": "*ann",
    "starts with /": "/ann",
    "an emoji": "ann👋",
    "a zero-width space": "ann\u200b",
    "a zero-width joiner": "an\u200dn",
    "a soft hyphen": "an\u00adn",
    "a word joiner": "an\u2060n",
    "decomposed letters": "и\u0306ошка",
}
# A name that is taken, and one that is the same but for letter case.
SAME = {
    "the same": ("ann", "ann"),
    "capital letters": ("ann", "ANN"),
    "white space around": ("ann", " Ann "),
    "sharp s": ("straße", "STRASSE"),
    "sharp s, the other way round": ("STRASSE", "straße"),
    "Cyrillic capital letters": ("йод", "ЙОД"),
    "capital letters of full width": ("Ａｎｎ", "ａｎｎ"),
}
