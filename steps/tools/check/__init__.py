"""The checker: runs any chat, in any language, and judges it by what people see on their screens.

How a check runs:

    main.py ── one folder ──┐             python3 steps check FOLDER
    group.py ─ a class ─────┤             ... --class FOLDER: a table, a page, a text for each
                            │
    trial.py    starts a process for this submission, with a secret, in namespaces ...
                            │        ▲
     settings (stdin)       ▼        │  events (stdout), each behind the secret
    ┌ guard.py ── no way out, a copy in memory, all else hidden or read-only ───────────┐
    │ trial.py    ... and is that process: it runs the checks in their order (asks.py)  │
    │     │                                                                             │
    │ find.py         which file of the copy is the server, which one the client        │
    │     │                                                                             │
    │ examiner.py     notes what was done; takes the pictures when a check fails        │
    │     │                                                                             │
    │ conversation.py     a server in a network of its own, people at its clients       │
    │     │                                                                             │
    │ process.py ── keyboard ──► ┌ no rights, read-only ┐ ◄── system.py  what the system│
    │     ▲                      │ server.py, client.py │       tells: sockets, threads, │
    │     └───── screen ◄─────── └──────────────────────┘       processor time          │
    │ reading.py      what people make of a screen: lines, a question, an author, news  │
    └───────────────────────────────────────────────────────────────────────────────────┘
                            │
    page.py     shows the verdicts, each with its story

Two layers. What a run is: all of the above. What a check asks: talking.py and coming.py, where each
check stands with its words: what should be seen, the likely cause for each verdict, where to read.
"""
