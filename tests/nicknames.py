"""Nicknames that fit and that do not, for steps 3 and 4."""

GOOD = ["a", "Аня", "x" * 32, "ж" * 32, "👩‍🚀", "o'neil-42_[x]", "a*b/c", "名前"]
BAD = {
    "empty": "",
    "33 characters": "x" * 33,
    "white space": "ann lee",
    "a tab": "ann\tlee",
    "no-break space": "ann\u00a0lee",
    "line separator": "ann\u2028lee",
    "a colon": "ann:",
    "escape": "ann\x1b[31m",
    "DEL": "ann\x7f",
    "C1": "ann\x9bK",
    "an override of direction": "ann\u202elee",
    "starts with *": "*ann",
    "starts with /": "/ann",
}
