"""Checks any chat, in any language, by what people see on their screens.

find.py      which file is the server, which one the client
isolate.py   namespaces and limits: what foreign code cannot reach
session.py   a program in a process of its own, at a terminal of its own
screen.py    what the bytes of a program look like on a screen
reading.py   what a line on a screen means: a question, an author, news
room.py      a server and the people who sit at its clients
checks.py    the checks, in their order
words.py     all texts, in Russian and English
inner.py     the process that runs one pair and tells the outer one what it sees
outer.py     starts the inner process, bounds its time, ends all that it left
report.py    shows the verdicts: while they come, and as a table
class_.py    a folder of submissions, a table for the teacher
main.py      the command line
"""
